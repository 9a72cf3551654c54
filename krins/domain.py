"""The vocabulary: what a task, an arm, an attempt and an outcome are.

Invariants: every type is frozen data without behaviour of its own; money is `Decimal` US dollars, times end in
`_seconds`, tokens are whole numbers, quality lies in [0, 1]. `None` means unknown and is never read as zero.
Left out: how any of these is made. A task here is what a router and a model may see; hidden tests are elsewhere
(`krins.pipeline.tasks`), so that they cannot leak into a prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work, as routers and models may see it."""

    task_id: str
    prompt: str = ""
    category: str | None = None
    difficulty: str | None = None
    """Known before the task is answered; a difficulty judged afterwards does not belong here."""
    language: str | None = None
    repository: str | None = None
    """Where the task comes from. Intervals are clustered by it: tasks of one repository are not independent."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One thing that a router can choose. Today an arm is a model."""

    name: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer consumed, as the provider counted it."""

    input_tokens: int
    output_tokens: int
    calls: int = 1

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class FailureKind(StrEnum):
    """Whose fault it is that there is no answer to judge. A wrong answer is not a failure; it has quality 0."""

    MODEL = "model"
    """The model answered, and the answer cannot be used: empty, cut off, no code in it."""
    INFRASTRUCTURE = "infrastructure"
    """No answer was had, or it could not be checked: server out of reach, sandbox broken."""


@dataclass(frozen=True, slots=True)
class Failure:
    kind: FailureKind
    message: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer of a model, with what it cost. `usage` and `cost_usd` are None where the provider told nothing."""

    text: str
    usage: Usage | None
    cost_usd: Decimal | None
    latency_seconds: float
    finish_reason: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking an answer showed. All checks must pass for quality 1."""

    quality: float
    checks_passed: int
    checks_total: int
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of giving `task_id` to `arm`, for the `sample`-th time. One row of an outcome table."""

    task_id: str
    arm: str
    sample: int
    quality: float
    cost_usd: Decimal | None
    usage: Usage | None = None
    latency_seconds: float | None = None
    failure: Failure | None = None
    attempts: tuple[Attempt, ...] = field(default=())
    verdict: Verdict | None = None
