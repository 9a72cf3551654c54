"""The seams between the parts of one replica: who decides, who remembers, who keeps count of money.

| seam | behind it |
|---|---|
| `Deciding` | the router's snapshot in this replica (`serve.learning.decider`) |
| `Learning` | the one learner of the service (`serve.learning.client`) |
| `Allowances` | budgets and rates of API keys (`serve.security.allowances`) |
| `Claims` | idempotency keys (`serve.jobs.claims`) |
| `Meters` | Prometheus (`serve.operations.meters`) |

Invariant: a decision is made without waiting for anybody. Left out: any implementation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from krins.domain import Task
from serve.web import Answer, Client


class Turn(NamedTuple):
    """One turn of a conversation."""

    conversation: str
    """Hash that names it: 16 bytes in hexadecimal."""
    is_first: bool
    prompt_tokens: int
    """About how many tokens the prompt has."""
    max_output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Decided:
    """Which arm a request goes to, and why."""

    decision_id: str
    """Signed and self-contained. Empty for a pinned model, from which nothing is learnt."""
    arm: str
    probability: float | None
    """With which the router chose it; None where nobody knows: pinned, or a fallback."""
    reason: str
    """For people and journals: `router`, `sticky: ...`, `switched: ...`, `pinned`, `fallback: ...`."""
    epoch: int
    """Which champion decided: grows by one with each take-over and rollback."""
    version: int
    """How many outcomes it had learnt."""
    router: str
    """NAME/VERSION of the champion, or the suite's label."""


class Deciding(Protocol):
    """Makes decisions in this replica, from a local snapshot."""

    def decide(self, task: Task, turn: Turn | None = None) -> Decided: ...

    def pinned(self, arm: str) -> Decided:
        """The caller named the model."""
        ...

    def redirect(self, decided: Decided, arm: str, reason: str, turn: Turn | None = None) -> Decided:
        """The chosen arm failed and `arm` answers in its place: a decision id that credits it."""
        ...


class DecisionMade(NamedTuple):
    """For the journal: a decision and what is known when it is made."""

    at_seconds: float
    decision_id: str
    request_id: str
    key_id: str
    arm: str
    probability: float | None
    reason: str
    epoch: int
    version: int
    conversation: str | None
    route: str
    """`chat`, `messages`, `responses`, `route`, `task`."""


class Answered(NamedTuple):
    """For the journal: what came of the calls of a decision."""

    at_seconds: float
    decision_id: str
    key_id: str
    arm: str
    cost_usd: Decimal | None
    """None: unknown."""
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    latency_seconds: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Feedback:
    """How good the answer to a decision was."""

    decision_id: str
    quality: float
    """In [0, 1]."""
    cost_usd: Decimal | None = None
    """By default what the service itself saw."""
    latency_seconds: float | None = None
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one feedback, durably."""

    decision_id: str
    status: str
    """`applied`, `duplicate` (the same, again), `conflict` (another outcome came first and stands), `recorded` (kept
    and not learnt from: learning is frozen, or the router is another one now)."""
    reward: float | None
    version: int
    """How many outcomes the learner had applied after it."""
    note: str | None = None
    """Why it was not learnt from."""


class Learning(Protocol):
    """The way from a replica to the learner. Methods that wait raise Refusal 503 where it cannot be reached in time."""

    async def feedback(self, items: Sequence[Feedback]) -> Sequence[Receipt]:
        """Journal, apply, and bring this replica up to date; durable once it returns.

        Raises:
            Refusal: 400 for an id that is none of ours, 422 for one that lacks the cost the reward charges for.
        """
        ...

    def note(self, record: DecisionMade | Answered) -> None:
        """Hand over for the journal; nobody waits, and a killed replica may lose the last few."""
        ...

    async def ask(self, what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a method of the learner by name: state, arms, decisions, outcomes, freeze, rollback ..."""
        ...


class Reservation(NamedTuple):
    key_id: str
    usd: Decimal


class Allowances(Protocol):
    """Budgets of API keys, enforced in this replica; without a hop as long as what it holds on lease is enough."""

    async def reserve(self, client: Client, usd: Decimal) -> Reservation:
        """Set the worst case of a call aside.

        Raises:
            Refusal: 429 `budget_exhausted`.
        """
        ...

    def settle(self, reservation: Reservation, usd: Decimal | None) -> None:
        """Charge what it cost; None: unknown, so all that was reserved."""
        ...


class Claims(Protocol):
    """Idempotency keys of requests that are answered at once."""

    async def begin(self, key: str, payload_sha256: str) -> Answer | None:
        """None: it is ours to execute. Otherwise the answer that it had.

        Raises:
            Refusal: 409 while another executes it, 422 for another payload.
        """
        ...

    async def end(self, key: str, answer: Answer | None) -> None:
        """Keep the answer; None: give the key back, for nothing was done."""
        ...


class Meters(Protocol):
    """What Prometheus is told."""

    def request(self, route: str, status: int, seconds: float) -> None: ...

    def decision(self, arm: str, reason: str) -> None: ...

    def upstream(self, arm: str, outcome: str, seconds: float) -> None:
        """`outcome`: ok, or the class of a `ModelFault`."""
        ...

    def spend(self, arm: str, usd: Decimal) -> None: ...

    def tokens(self, arm: str, kind: str, count: int) -> None:
        """`kind`: input, cached, output, saved (context that was left out of a prompt)."""
        ...

    def breaker(self, endpoint: str, state: str) -> None: ...

    def queue(self, status: str, depth: int) -> None: ...

    def feedback(self, status: str) -> None: ...
