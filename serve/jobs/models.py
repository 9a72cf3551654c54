"""What callers say of a task, and what they are told: the JSON of `/api/agents/propose` and `/api/tasks`.

Invariants: nothing that is no relative POSIX path of a bounded tree gets past these models, so that whatever a request
names stays inside the sandbox; money is a decimal string of US dollars. Left out: what becomes of a task
(`serve.jobs.coordinator`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from krins.errors import PatchRefused
from krins.pipeline.paths import check_collisions, why_malformed
from serve.jobs.job import JobError, JobState
from serve.web import WholeNumber

MOST_FILES = 2_000
MOST_TREE_BYTES = 2**22
_MOST_TESTS = 200
Path_ = Annotated[str, Field(min_length=1, max_length=1024)]
EXAMPLE: Mapping[str, Any] = {
    "prompt": "greet() should take a name and say 'Hello, NAME!'.",
    "tree": {"greeting.py": "def greet():\n    return 'Hello!'\n"},
    "answer_file": "greeting.py",
    "language": "python",
    "model": "krins",
    "pipeline": {"mode": "judge", "rounds": 1},
}


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Asked(Strict):
    """What a caller says: a number is a number, and no text or truth value."""

    model_config = ConfigDict(strict=True)


class PipelineChoice(_Asked):
    """What happens to an answer before it is submitted; see `krins.suite.Pipeline`."""

    mode: Literal["direct", "judge", "spec"] = "judge"
    """`direct`: nothing. `judge`: gates and a judge look at it, and what they find goes back to the model. `spec`: the
    same, after a model wrote tests."""
    judge: str | None = Field(None, max_length=200)
    """One of the service's models; by default another than the one that answers."""
    rounds: WholeNumber = Field(2, ge=0, le=10)
    """Answers more that findings may lead to."""
    accept_score: float = Field(0.5, ge=0.0, le=1.0)


class TaskRequest(_Asked):
    """A coding task."""

    model_config = ConfigDict(json_schema_extra={"examples": [dict(EXAMPLE)]})

    prompt: str = Field(min_length=1, max_length=200_000)
    tree: dict[Path_, str] = Field(default_factory=dict, max_length=MOST_FILES)
    """Relative POSIX path to text."""
    category: str | None = Field(None, max_length=200)
    language: str | None = Field(None, max_length=200)
    visible_tests: list[Path_] = Field(default_factory=list, max_length=_MOST_TESTS)
    """Test files of the tree that show the request."""
    tests: str | None = Field(None, min_length=1, max_length=2**20)
    """Hidden tests (functions `test_*`), which no model sees: the verdict is theirs."""
    answer_file: Path_ | None = None
    """The file that an answer which is one code block alone stands for."""
    model: str = Field("krins", max_length=200)
    """`krins`: the router chooses. `krins/NAME`: that model."""
    pipeline: PipelineChoice = PipelineChoice()

    @field_validator("prompt", "tests")
    @classmethod
    def _is_text(cls, text: str | None) -> str | None:
        if text is not None:
            _require_text("it", text)
        return text

    @model_validator(mode="after")
    def _tree_is_one(self) -> TaskRequest:
        for path in (*self.tree, *([self.answer_file] if self.answer_file else [])):
            if reason := why_malformed(path):
                raise ValueError(f"path {path[:100]!r}: {reason}")
        for path, text in self.tree.items():
            _require_text(f"file {path[:100]!r}", text)
        size = sum(len(text.encode()) for text in self.tree.values())
        if size > MOST_TREE_BYTES:
            raise ValueError(f"the tree has {size:,} bytes; it may have {MOST_TREE_BYTES:,}")
        for path in self.visible_tests:
            if path not in self.tree:
                raise ValueError(f"visible_tests: {path[:100]!r} is not in the tree")
        try:
            check_collisions(self.tree, self.tree)
        except PatchRefused as refused:
            raise ValueError(refused.message) from None
        return self


def _require_text(what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} has a lone surrogate, which is no text") from None
    if "\0" in text:
        raise ValueError(f"{what} holds a NUL character")


class Order(Strict):
    """A task as it is queued: with the decision that was made of it."""

    request: TaskRequest
    arm: str
    arms: list[str]
    """All that the router chooses among."""
    decision_id: str
    reason: str
    most_usd: Decimal
    """Set aside for it: it may not spend more."""


class ReviewRound(Strict):
    """One answer of the proposer."""

    problem: str
    """Why it is no change; empty where it is one."""
    red_gates: list[str]
    score: float | None
    """The judge's."""
    is_accepted: bool


class Gate(Strict):
    gate: str
    status: str
    blocks: bool
    evidence: str
    seconds: float


class JudgesWord(Strict):
    model: str
    score: float
    """In [0, 1]: how sure it is that the change is right."""
    is_probability: bool
    doubts: dict[str, str]
    """By checkpoint that does not hold: the line that the judge objects to."""


class TaskVerdict(Strict):
    by: Literal["hidden tests", "gates and judge", "nobody"]
    passed: bool | None
    """None: nobody has judged it."""
    checks_passed: int
    checks_total: int
    evidence: str


class Spent(Strict):
    agent: str
    """proposer, judge or tester."""
    model: str
    latency_seconds: float
    cost_usd: Decimal | None
    input_tokens: int | None
    output_tokens: int | None
    error: str | None


class TaskResult(Strict):
    """What came of a task."""

    decision_id: str
    model: str
    reason: str
    diff: str
    """Unified; empty where no answer was a change."""
    files: dict[str, str | None]
    """Files that it changes, by path: the new text, None where it is deleted."""
    verdict: TaskVerdict
    gates: list[Gate]
    """Of what is submitted."""
    judgement: JudgesWord | None
    rounds: list[ReviewRound]
    failure: str | None
    """Why there is no verdict, in words."""
    quality: float | None = None
    """What the learner is told of a task with hidden tests: 1 where they pass, 0 where they do not, or the model had no
    answer that could be tested. None: the caller has to judge, by /v1/feedback."""
    feedback: str | None = None
    """What the learner said to that: `applied`, `duplicate`, ..., or why it did not take it. None: it was told
    nothing, as of a model that the caller pinned."""
    cost_usd: Decimal | None
    """None: unknown."""
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    latency_seconds: float | None
    calls: list[Spent]
    context_tokens: int
    context_tokens_saved: int
    """Of what showing the whole tree would have taken."""


class TaskStatus(Strict):
    """A task at one moment."""

    task_id: str
    state: JobState
    attempt: int
    is_stopping: bool
    created_at_seconds: float
    started_at_seconds: float | None
    ended_at_seconds: float | None
    errors: list[JobError]
    """Of all its attempts."""
    result: TaskResult | None = None
    url: str
    events_url: str


class TaskList(Strict):
    tasks: list[TaskStatus]


class Requeue(_Asked):
    task_id: str | None = Field(None, max_length=200)
    """None: all dead letters."""


class Requeued(Strict):
    task_ids: list[str]


class EventsQuery(Strict):
    after: int = Field(0, ge=0, le=2**53)
    """Number of the last event that was seen; the header Last-Event-ID says the same and goes before."""


class ListQuery(Strict):
    limit: int = Field(100, ge=1, le=1_000)
