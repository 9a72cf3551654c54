"""Every seam of krins, each one a Protocol: implement one and the rest works with it unchanged.

| seam | what varies behind it |
|---|---|
| `Environment` | where outcomes come from: a recorded table, or live models and a sandbox |
| `Policy` | how a router chooses and learns |
| `Model` | who answers a request, with everything around the call |
| `Provider` | whose SDK carries one call |
| `Verifier` | who says whether an answer is right |
| `Gate` | what a change must pass before a judge sees it |
| `Sandbox` | what keeps untrusted code in |
| `Clock` | time |

Invariant: there is one seam for each source of nondeterminism, so a test stands in for any of them without patching.
Left out: any implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from krins.domain import Arm, Attempt, Change, GateResult, Outcome, Request, Scope, Task, Usage, Verdict

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

State = TypeVar("State")


class Environment(Protocol):
    """Where outcomes come from. The same (task, arm, sample) is the same experiment whoever asks."""

    @property
    def tasks(self) -> Sequence[Task]: ...

    @property
    def arms(self) -> Sequence[Arm]: ...

    async def attempt(self, task: Task, arm: Arm, sample: int, correlation_id: str = "") -> Outcome:
        """Give the task to the arm. A failure of the arm is in the outcome; only a broken environment raises.

        `correlation_id` finds the attempt again in traces, logs and journal; it does not change the outcome.
        """
        ...


class Context(NamedTuple):
    """What a policy may look at beside its own state."""

    pending: IntArray
    """Shape (n_replications, n_arms): choices whose rewards have not been learnt yet."""
    features: FloatArray | None = None
    """Shape (n_replications, n_features): of the task that is to be decided; None for policies without features."""


class Choice(NamedTuple):
    """Arms chosen by all replications for their next task."""

    arms: IntArray
    """Shape (n_replications,)."""
    probabilities: FloatArray | None
    """Shape (n_replications,): the probability with which each arm was chosen; None where it takes `propensities`."""


class Feedback(NamedTuple):
    """What came of one decision in each replication. Shapes are (n_replications,), unless they are given."""

    arms: IntArray
    rewards: FloatArray
    observed: BoolArray | None = None
    """Nothing is learnt where it is False, whatever the other arrays hold there; None: learn everywhere."""
    probabilities: FloatArray | None = None
    """With which `arms` were chosen; None where nobody computed them."""
    features: FloatArray | None = None
    """Shape (n_replications, n_features): of the tasks that were decided."""
    quality: FloatArray | None = None
    """In [0, 1]: what the reward was made from, beside the cost."""
    cost_usd: FloatArray | None = None


class Policy(Protocol[State]):
    """Pure functions over an array state whose leading axis is independent replications.

    One replication is a live router, a thousand are a simulation: the same maths runs both. No method changes its
    arguments, but for `update`, which takes its state over. Ties go to the lowest index; whoever runs a policy
    shuffles the arms once for each replication.
    """

    @property
    def params(self) -> Mapping[str, Any]:
        """Hyper-parameters, as they stand in result tables."""
        ...

    def init(self, n_arms: int, n_replications: int) -> State: ...

    def choose(self, state: State, context: Context, rng: np.random.Generator) -> Choice: ...

    def update(self, state: State, feedback: Feedback) -> State:
        """Learn from one decision in each replication. The arrays of `state` may be written to, and be those of the
        state that is returned: whoever wants to go on from the old one copies it first.

        Raises:
            ValueError: an observed reward is NaN or infinite, or something that the policy learns from is missing.
        """
        ...

    def propensities(self, state: State, context: Context) -> FloatArray:
        """Shape (n_replications, n_arms): the probability of each arm at the next choice. Rows sum to one."""
        ...


OnText = Callable[[str], None]
"""Takes the text of an answer as it comes, piece by piece."""


class Model(Protocol):
    """Who answers a request."""

    async def answer(self, request: Request, scope: Scope = Scope(), on_text: OnText | None = None) -> Attempt:
        """Answer once; with `on_text` streamed, and then nothing is tried again once a piece has been handed out.

        Raises:
            ModelFault: no usable answer was had; its `calls` are what that cost.
            BudgetExhausted: a limit of `scope` leaves no room for the call.
        """
        ...


class Reply(NamedTuple):
    """A provider's answer, in krins's words."""

    text: str
    usage: Usage | None
    """None where the provider told nothing: unknown, never free."""
    finish_reason: str | None
    """`stop`, `length`, or the provider's own word for anything else."""
    request_id: str | None
    choice_probabilities: Mapping[str, float] | None = None
    choice_mass: float | None = None
    """Both as in `krins.domain.Attempt`."""


class Provider(Protocol):
    """One model at one provider, through the provider's own SDK, without retries of its own."""

    async def reply(self, request: Request, on_text: OnText | None = None) -> Reply:
        """Ask once; with `on_text` the reply is streamed, and the whole of it is returned as well.

        Raises:
            ModelFault: of the most telling class, with what is known of the bill.
        """
        ...

    async def check(self) -> None:
        """Make sure, without cost, that the provider is within reach and takes the key.

        Raises:
            ModelFault: it is not, or does not.
        """
        ...

    async def close(self) -> None: ...


class Verifier(Protocol):
    """Who says whether an answer is right. Blocking: callers run it in a thread."""

    def verify(self, change: Change, tests: str) -> Verdict:
        """Run `tests` against the tree after `change`.

        Raises:
            SandboxFault: the check could not be made; says nothing about the code.
        """
        ...


class Gate(Protocol):
    """What a change must pass before a judge sees it. Blocking: callers run it in a thread."""

    @property
    def name(self) -> str: ...

    def check(self, change: Change) -> GateResult:
        """Look at a change. Whatever goes wrong meanwhile is in the result."""
        ...


class Limits(NamedTuple):
    """What a sandboxed process may use; past any of them it is killed."""

    wall_seconds: float = 10.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * 2**20
    """Address space of each process."""
    processes: int = 16
    """Processes and threads together, of this sandbox alone."""
    output_bytes: int = 8 * 2**20
    """What is read from a process before it is killed, and the largest file it may write."""
    disk_bytes: int = 64 * 2**20
    """Size of its private, in-memory /tmp."""


class SandboxedProcess(Protocol):
    """A running sandboxed process. Closing it kills everything that it started."""

    @property
    def stdin(self) -> IO[bytes]: ...

    @property
    def stdout(self) -> IO[bytes]: ...

    def stderr_tail(self) -> str:
        """The last few KiB of standard error, decoded leniently."""
        ...

    def wait(self, timeout_seconds: float) -> int | None:
        """Exit code, or None if it is still running after the timeout."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Sandbox(Protocol):
    """What keeps untrusted code in."""

    @property
    def name(self) -> str: ...

    def start(self, command: Sequence[str], files: Mapping[str, str | bytes], limits: Limits) -> SandboxedProcess:
        """Start `command` in a fresh sandbox whose read-only working directory holds `files` (name to content).

        Raises:
            SandboxFault: the sandbox could not be set up.
        """
        ...


class Clock(Protocol):
    """Time, injected wherever it matters, so that tests need not wait."""

    async def sleep(self, seconds: float) -> None:
        """Let that much of this clock's time pass."""
        ...

    def now_seconds(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic_seconds(self) -> float: ...


__all__ = [
    "BoolArray",
    "Choice",
    "Clock",
    "Context",
    "Environment",
    "Feedback",
    "FloatArray",
    "Gate",
    "IntArray",
    "Limits",
    "Model",
    "OnText",
    "Policy",
    "Provider",
    "Reply",
    "Sandbox",
    "SandboxedProcess",
    "Verifier",
]
