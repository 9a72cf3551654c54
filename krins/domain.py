"""The vocabulary: what a task, an arm, a request, a call, an attempt and an outcome are.

Invariants: every type is frozen data without behaviour of its own; money is `Decimal` US dollars, times end in
`_seconds`, tokens are whole numbers, quality lies in [0, 1]. `None` means unknown and is never read as zero.
Left out: how any of these is made. A task here is what a router and a model may see; hidden tests are elsewhere
(`krins.pipeline.tasks`), so that they cannot leak into a prompt.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel


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
    date: dt.date | None = field(default=None, repr=False)
    """When the task came up, where that is known. No part of its text form, which fingerprints of tasks are made of:
    it changes nothing about what is asked and judged."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One thing that a router can choose. Today an arm is a model."""

    name: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer consumed, as the provider counted it."""

    input_tokens: int
    """All of the prompt, whether or not a part of it was read from or written to the provider's prompt cache."""
    output_tokens: int
    """All that was generated, reasoning included."""
    calls: int = 1
    cached_tokens: int = 0
    """Of `input_tokens`: read from the provider's prompt cache."""
    cache_write_tokens: int = 0
    """Of `input_tokens`: written to the provider's prompt cache, which some bill at more than plain input."""
    reasoning_tokens: int = 0
    """Of `output_tokens`: thought, not said."""

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """A question to a model, whichever model that is."""

    messages: tuple[Message, ...]
    system: str = ""
    sample: int = 0
    """Tells repeated answers to one question apart; it seeds the provider where the provider takes a seed."""
    answer_type: type[BaseModel] | None = None
    """Ask for a structured answer: its text is then JSON that this type validates."""
    choices: tuple[str, ...] = ()
    """Ask for one of these words, and for nothing else; they differ in more than case. The answer's text is then that
    word as it stands here, wherever it can be read as one of them. Not together with `answer_type`."""

    @classmethod
    def of(cls, prompt: str, sample: int = 0) -> Request:
        return cls((Message("user", prompt),), sample=sample)


@dataclass(frozen=True, slots=True)
class Scope:
    """On whose behalf calls are made: what a budget charges and what a trace is found by."""

    decision_id: str = ""
    """Correlation id of the decision that caused the calls: 32 hexadecimal digits; empty where there is none."""
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that went to a provider, and what it was charged, whether or not an answer came of it."""

    model: str
    """Name of the model that was asked, which a fallback makes another than the one that a router chose."""
    provider: str
    started_at_seconds: float
    """Since the epoch."""
    latency_seconds: float
    usage: Usage | None
    cost_usd: Decimal | None
    """Its price, whoever paid; the reserved worst case where `is_usage_unknown`; None for a model without a price."""
    billed_usd: Decimal | None
    """What was paid now: 0 for an answer out of krins's cache, otherwise `cost_usd`."""
    billed_tokens: int = 0
    """What budgets of tokens were charged now: as reported, or the worst case where `is_usage_unknown`."""
    is_usage_unknown: bool = False
    """It may have been billed, and the provider did not tell for how much."""
    error: str | None = None
    """Class and message of the `ModelFault` that it ended in."""
    finish_reason: str | None = None
    request_id: str | None = None
    is_cached: bool = False
    """Replayed from krins's cache: nothing was sent now, and nothing billed."""
    agent: str = "proposer"
    """Who asked: proposer, judge or tester."""


class FailureKind(StrEnum):
    """Whose fault it is that there is no answer to judge. A wrong answer is not a failure; it has quality 0."""

    MODEL = "model"
    """The model answered, and the answer cannot be used: empty, cut off, no code in it."""
    INFRASTRUCTURE = "infrastructure"
    """No answer was had, or it could not be checked: server out of reach, sandbox broken."""
    BUDGET = "budget"
    """A limit on spending left no room for the call; says nothing about model or provider."""


@dataclass(frozen=True, slots=True)
class Failure:
    kind: FailureKind
    message: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """An answer, with everything that was called to get it."""

    text: str
    usage: Usage | None
    """Of the call that answered."""
    latency_seconds: float
    """From the question to the answer, retries included; of the original answer where it comes out of the cache."""
    model: str = ""
    """Which model answered."""
    provider: str = ""
    finish_reason: str | None = None
    """`stop`, `length` or the provider's own word."""
    request_id: str | None = None
    calls: tuple[Call, ...] = ()
    """In the order in which they ended; the answering one is among them."""
    is_cached: bool = False
    choice_probabilities: Mapping[str, float] | None = None
    """Of each of the request's choices, adding up to 1; None: the model gives no log-probabilities, or none for these,
    and the text is one of the choices."""
    choice_mass: float | None = None
    """How much of the probability fell on the choices at all, in [0, 1]: where it is small, the model did not take the
    question for one that they answer. None: the model gives no log-probabilities."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking an answer showed. All checks must pass for quality 1."""

    quality: float
    checks_passed: int
    checks_total: int
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What an answer makes of a source tree: relative POSIX path to text, before and after."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    diff: str
    """The same as a unified diff."""

    @property
    def written(self) -> Mapping[str, str]:
        """Files that are new or have another text, by path."""
        return {path: text for path, text in sorted(self.after.items()) if self.before.get(path) != text}

    @property
    def deleted(self) -> Sequence[str]:
        return sorted(self.before.keys() - self.after.keys())


class GateStatus(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"
    """It could not be checked, which is not to pass."""
    NOT_NEEDED = "not_needed"
    """Nothing of the change is what this gate looks at."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """What one quality gate says of a change."""

    gate: str
    status: GateStatus
    blocks: bool
    """A change that fails here is not accepted whatever a judge says."""
    evidence: str
    """In words, with file and line where there is one: what was found, or why it was not run."""
    seconds: float

    @property
    def is_red(self) -> bool:
        return self.blocks and self.status is GateStatus.FAILED


class Checkpoint(StrEnum):
    """What a judge is asked about a change."""

    FULFILS = "fulfils"
    """It does what the task asks for."""
    EDGE_CASES = "edge_cases"
    TESTS = "tests"
    """What changed is covered by tests, or needs none."""
    SECURITY = "security"
    COMPATIBILITY = "compatibility"
    """Callers and files that are not in the change still work."""
    READABILITY = "readability"
    """It can be read, and changes nothing that need not change."""
    PERFORMANCE = "performance"


@dataclass(frozen=True, slots=True)
class CheckpointVerdict:
    """A judge's word on one checkpoint."""

    checkpoint: Checkpoint
    holds: bool | None
    """None: it does not count, for the judge quoted no line that is there, or said nothing."""
    quote: str = ""
    """The line of the change, of the task or of the gates' evidence that it rests on."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge says of a change."""

    score: float
    """In [0, 1]: how sure it is that the change is right."""
    is_probability: bool
    """Whether the score is the model's P(yes); otherwise the share of checkpoints that hold among those that count."""
    checkpoints: tuple[CheckpointVerdict, ...]
    model: str
    n_speaking: int = 0
    """Places in the change, or in what gates quote of it, that speak to a reader; the judge was not shown them."""
    n_lines_cut: int = 0
    """Lines of the change for which there was no room."""


@dataclass(frozen=True, slots=True)
class Round:
    """One answer on the way to the change that is submitted, and what was said of it."""

    diff: str = ""
    """Empty where the answer is no change."""
    problem: str = ""
    """Why it is none."""
    gates: tuple[GateResult, ...] = ()
    judgement: Judgement | None = None
    is_accepted: bool = False


@dataclass(frozen=True, slots=True)
class GeneratedTests:
    """Tests that a model wrote from the request, before anything was changed; never the hidden ones."""

    path: str
    text: str
    """Empty where none came that fail on the unchanged tree."""
    problem: str = ""
    """Why none came."""
    passes: bool | None = None
    """Whether what was submitted passes them; None where it was not tried."""


@dataclass(frozen=True, slots=True)
class GivenContext:
    """How much of a task's source tree stood in its prompt, in o200k tokens."""

    kind: Literal["none", "whole", "select"]
    tokens: int
    whole_tokens: int
    """What all files of the tree in full take: the baseline that savings are measured against."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of giving `task_id` to `arm`, for the `sample`-th time. One row of an outcome table."""

    task_id: str
    arm: str
    sample: int
    quality: float
    cost_usd: Decimal | None
    """What all its calls cost, retries and failures included, whoever paid; None where a price or usage is unknown."""
    usage: Usage | None = None
    """Of all its calls together, as far as providers told."""
    latency_seconds: float | None = None
    failure: Failure | None = None
    attempts: tuple[Attempt, ...] = field(default=())
    verdict: Verdict | None = None
    calls: tuple[Call, ...] = field(default=())
    """Every call that it caused; what stands here is left out of `attempts`."""
    correlation_id: str = ""
    context: GivenContext | None = None
    """None for a task without a source tree."""
    rounds: tuple[Round, ...] = field(default=())
    """One for each answer of the proposer, in their order."""
    submitted: int | None = None
    """Which round's change the hidden tests judged; None where there was no change."""
    generated_tests: GeneratedTests | None = None

    @property
    def billed_usd(self) -> Decimal:
        """Paid now for all its calls, as far as it is known: nothing for answers out of the cache."""
        if not self.calls:
            return self.cost_usd or Decimal(0)
        return sum((call.billed_usd or Decimal(0) for call in self.calls), Decimal(0))
