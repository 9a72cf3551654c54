"""What the learning API takes and gives, as the OpenAPI document shows it.

Invariants: unknown keys are refused; a number is a number and no text or truth value. Left out: what is
done (`routes`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from serve.web import WholeNumber


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class RouteRequest(_Asked):
    """A task to be decided."""

    prompt: str = ""
    category: str | None = Field(None, max_length=200)
    language: str | None = Field(None, max_length=200)
    repository: str | None = Field(None, max_length=200)
    conversation: str | None = Field(None, min_length=1, max_length=200)
    """Any name: turns of one conversation stay on one model unless another is cheaper even without its prompt cache."""
    prompt_tokens: WholeNumber | None = Field(None, ge=0, le=100_000_000)
    """Of the whole turn; by default a quarter of the prompt's bytes."""
    max_output_tokens: WholeNumber | None = Field(None, ge=1, le=100_000_000)


class RouteAnswer(_Told):
    decision_id: str
    """For /v1/feedback: signed and self-contained."""
    model: str
    propensity: float
    """Probability with which the model was chosen, of a later turn given where its conversation is."""
    reason: str
    router: str
    version: int
    """Outcomes that the router had learnt."""
    epoch: int


DecisionId = Annotated[str, Field(min_length=1, max_length=65536)]
Usd = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class _Item(_Asked):
    decision_id: DecisionId
    cost_usd: Usd | None = None
    """By default what the service itself saw."""
    latency_seconds: Seconds | None = None


class ByQuality(_Item):
    """How good an answer was."""

    quality: float = Field(ge=0, le=1, allow_inf_nan=False)


class ByVerdict(_Item):
    """Whether an answer passed: quality 1 or 0."""

    passed: bool


FeedbackItem = ByQuality | ByVerdict


class FeedbackBatch(_Asked):
    """Several at once: all of them are taken, or none."""

    items: list[FeedbackItem] = Field(min_length=1, max_length=1000)


class FeedbackRequest(RootModel[ByQuality | ByVerdict | FeedbackBatch]):
    """The outcome of a decision, or of several."""

    @property
    def items(self) -> list[FeedbackItem]:
        return self.root.items if isinstance(self.root, FeedbackBatch) else [self.root]


class ReceiptAnswer(_Told):
    """Durable: it is on disk, and a replica that is killed now loses nothing of it."""

    decision_id: str
    status: Literal["applied", "duplicate", "conflict", "recorded"]
    """`duplicate`: the same came before; `conflict`: another outcome came first and stands; `recorded`: kept, and not
    learnt from."""
    reward: float | None
    version: int
    """Outcomes that the learner had learnt after it."""
    note: str | None = None
    """Why it was not learnt from."""


class ReceiptsAnswer(_Told):
    items: list[ReceiptAnswer]


class FeedbackAnswer(RootModel[ReceiptAnswer | ReceiptsAnswer]):
    """One receipt, or for a batch as many as it had items."""


class PageQuery(BaseModel):
    """The latest first."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    limit: int = Field(100, ge=1, le=1000)
    before: float | None = Field(None, ge=0, allow_inf_nan=False)
    """Seconds since the epoch: only what was earlier."""


class ReportQuery(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    reference: str | None = Field(None, min_length=1, max_length=200)
    """The model to compare with; by default the dearest."""


class WhatIfQuery(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    router: str = Field(min_length=1, max_length=4000)
    """As a suite would name it: thompson, fixed:MODEL, or {policy: epsilon-greedy, epsilon: 0.2}."""


class StateAnswer(_Told):
    """What serves, and how learning is."""

    router: str | None
    policy: str | None
    params: dict[str, Any] | None
    arms: list[str]
    epoch: int
    """Grows by one with each take-over and rollback."""
    version: int
    """Outcomes that were learnt."""
    frozen: bool
    began_at_seconds: float | None
    former: list[str]
    """Routers that can be gone back to, the latest last."""
    registry: dict[str, Any]
    process: int
    """Of the learner."""
    journal: dict[str, Any]


class ArmsAnswer(_Told):
    arms: list[dict[str, Any]]
    decisions: int


class DecisionsAnswer(_Told):
    decisions: list[dict[str, Any]]


class OutcomesAnswer(_Told):
    outcomes: list[dict[str, Any]]


class ReportAnswer(_Told):
    saving: dict[str, Any]
    cost_usd: dict[str, Any] | None
    quality: dict[str, Any] | None
    log: dict[str, Any]


class WhatIfAnswer(_Told):
    router: str
    cost_usd: dict[str, Any] | None
    quality: dict[str, Any]
    overlap: dict[str, Any]
    log: dict[str, Any]
