"""The routers that a suite can name, as frozen, typed data.

Invariants: a router's parameters decide what it does, its `name` does not; what is simulated says so in its label.
Left out: how a policy works and whether it fits an environment (`krins.routing`).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)


class Frozen(BaseModel):
    """What all parts of a suite have in common: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


class Router(Frozen):
    """One router of a suite."""

    policy: str
    name: str | None = Field(None, min_length=1)
    """Label in tables; by default made from the policy and its parameters."""

    @property
    def label(self) -> str:
        return self.name or self._default_label()

    def _default_label(self) -> str:
        defaults = {key: field.get_default(call_default_factory=True) for key, field in type(self).model_fields.items()}
        changed = [key for key in defaults if key not in {"policy", "name"} and getattr(self, key) != defaults[key]]
        values = ", ".join(f"{key}={getattr(self, key)}" for key in changed)
        return f"{self.policy}({values})" if values else self.policy


def _check_range(bounds: tuple[float, float]) -> tuple[float, float]:
    if not -math.inf < bounds[0] < bounds[1] < math.inf:
        raise ValueError("a range is [low, high] with low < high, both finite")
    return bounds


RewardRange = Annotated[tuple[float, float], AfterValidator(_check_range)]
"""Least and greatest reward possible."""
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Prior(Frozen):
    """A warm start: published scores that count as if they had been rewards."""

    weight: float = Field(gt=0, le=1e9)
    """How many rewards a score is worth."""
    scores: dict[str, float] = Field(min_length=1)
    """Model to expected quality in [0, 1]; models that are left out start cold."""
    usd_per_task: dict[str, Usd] = Field(default_factory=dict)
    """Model to expected cost; needed of each model with a score where the suite's reward charges for cost."""

    @field_validator("scores")
    @classmethod
    def _scores_are_shares(cls, scores: dict[str, float]) -> dict[str, float]:
        wrong = [f"{model}: {score}" for model, score in scores.items() if not 0.0 <= score <= 1.0]
        if wrong:
            raise ValueError(f"a score lies in [0, 1], unlike {', '.join(wrong)}")
        return scores

    def __str__(self) -> str:
        return f"{self.weight:g} rewards"


class AdaptiveRouter(Router):
    """A router that learns."""

    exploration_floor: float | None = Field(None, ge=0, le=1)
    """Share of decisions that go to a model drawn uniformly, whatever was learnt; by default the suite's."""


class ForgettingRouter(AdaptiveRouter):
    """A router that can start warm, and forget."""

    prior: Prior | None = None
    """Where to begin; by default nothing is known."""
    discount: float | None = Field(None, gt=0, lt=1)
    """What is known counts for this much of itself after each further reward."""
    window: int | None = Field(None, ge=1, le=1_000_000)
    """Only so many of the latest rewards count."""
    restart: float | None = Field(None, gt=0, lt=1)
    """Begin anew where a model's rewards have changed; about this is the chance of ever doing so without a change, by
    experiment and not by proof. Goes with an exploration floor, if models that are hardly chosen can become better."""

    @model_validator(mode="after")
    def _one_way_to_forget(self) -> ForgettingRouter:
        given = [key for key in ("discount", "window", "restart") if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"a router forgets in one way, not by {' and '.join(given)}")
        return self


class RangedRouter(ForgettingRouter):
    reward_range: RewardRange = (0.0, 1.0)
    """The router's bound holds for rewards in this range."""


class EpsilonGreedyRouter(ForgettingRouter):
    policy: Literal["epsilon-greedy"] = "epsilon-greedy"
    epsilon: float = Field(0.1, ge=0, le=1)
    """Share of decisions that go to an arm drawn uniformly."""


class DecayingEpsilonGreedyRouter(ForgettingRouter):
    policy: Literal["epsilon-greedy-decaying"] = "epsilon-greedy-decaying"
    scale: float = Field(5.0, gt=0, allow_inf_nan=False)
    """epsilon = min(1, scale * arms / rewards learnt so far)."""


class Ucb1Router(RangedRouter):
    policy: Literal["ucb1"] = "ucb1"


class UcbTunedRouter(RangedRouter):
    policy: Literal["ucb-tuned"] = "ucb-tuned"

    @model_validator(mode="after")
    def _starts_cold(self) -> UcbTunedRouter:
        if self.prior is not None:
            raise ValueError("ucb-tuned learns how rewards vary, which a score does not tell: it starts cold")
        return self


class KlUcbRouter(RangedRouter):
    policy: Literal["kl-ucb"] = "kl-ucb"
    c: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Weight of the log log term; 0 is best in practice, 3 is what the bound was proved for."""


class ImedRouter(RangedRouter):
    policy: Literal["imed"] = "imed"


class ThompsonRouter(ForgettingRouter):
    policy: Literal["thompson"] = "thompson"
    likelihood: Literal["auto", "bernoulli", "normal"] = "auto"
    """`bernoulli` (Beta posterior) for rewards 0 and 1, `normal` (Normal-inverse-gamma) for real ones; `auto` takes
    bernoulli where every recorded reward is 0 or 1, or the reward of a live suite is quality alone."""


class Exp3Router(AdaptiveRouter):
    policy: Literal["exp3"] = "exp3"
    reward_range: RewardRange = (0.0, 1.0)
    """Rewards outside it are refused."""


class LinUcbRouter(AdaptiveRouter):
    policy: Literal["linucb"] = "linucb"
    alpha: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Width of the confidence bound, in standard deviations."""
    ridge: float = Field(1.0, ge=1e-6, le=1e6)
    """Precision of the prior around zero."""
    shared: bool = False
    """One regression for all models, in which they differ by a constant, instead of one for each."""


class LinTsRouter(AdaptiveRouter):
    policy: Literal["lints"] = "lints"
    scale: float = Field(0.5, ge=1e-6, le=1e6)
    """Standard deviation of a reward around its expectation."""
    ridge: float = Field(1.0, ge=1e-6, le=1e6)
    shared: bool = False


class BudgetedRouter(AdaptiveRouter):
    policy: Literal["budgeted"] = "budgeted"
    usd_per_task: float = Field(gt=0, allow_inf_nan=False)
    """Most quality for at most so much a task, on average; `environment.budget` makes a limit hard."""
    expected_usd: dict[str, Usd] = Field(default_factory=dict)
    """Model to what a task will cost there, as far as that is known; others are taken to cost `usd_per_task`, until it
    is known better. Without any, dear models are tried blindly."""


class QualityFloorRouter(AdaptiveRouter):
    policy: Literal["quality-floor"] = "quality-floor"
    reference: str
    """The model whose quality is to be kept."""
    margin: float = Field(0.02, gt=0, lt=1)
    """Least cost such that quality is lower than the reference's by at most this."""
    confidence: float = Field(0.975, gt=0.5, lt=1)
    """That the margin is kept over all decisions so far."""


class SimulatedVerifier(Frozen):
    """Who says whether an answer is right: simulated on recorded outcomes, with errors of stated rates."""

    sensitivity: float = Field(ge=0, le=1)
    """Probability that a right answer passes."""
    specificity: float = Field(ge=0, le=1)
    """Probability that a wrong answer does not."""
    usd_per_check: float = Field(0.0, ge=0, allow_inf_nan=False)

    def __str__(self) -> str:
        return f"simulated verifier {100 * self.sensitivity:.3g}%/{100 * self.specificity:.3g}%"


def _reported(value: Any, info: ValidationInfo) -> Any:
    """Of a report's path, relative to `folder` in the validation's context, the verifier that it describes."""
    if not isinstance(value, str):
        return value
    path = (info.context or {}).get("folder", Path()) / value
    try:
        verifier = json.loads(path.read_text(encoding="utf-8"))["verifier"]
    except (OSError, ValueError, KeyError, TypeError) as failure:
        raise ValueError(f"{path} is no report that `krins-eval judge-report --json` wrote: {failure}") from None
    if verifier is None:
        raise ValueError(f"{path}: the report knows no rates or no price of its judge")
    return verifier


class CascadeRouter(Router):
    policy: Literal["cascade"] = "cascade"
    models: list[str] = Field(min_length=2)
    """Asked one after the other until an answer passes the verifier; the last one's is taken as it is."""
    verifier: Annotated[SimulatedVerifier, BeforeValidator(_reported, json_schema_input_type=SimulatedVerifier | str)]
    """Its rates, or the path of a report that `krins-eval judge-report --json` wrote, for those of gates and judge."""

    @field_validator("models")
    @classmethod
    def _models_differ(cls, models: list[str]) -> list[str]:
        if len(set(models)) < len(models):
            raise ValueError("a cascade asks each model once")
        return models

    @property
    def label(self) -> str:
        """Whatever its name, it says that the verifier is simulated."""
        return f"{self.name or ' > '.join(self.models)} ({self.verifier})"


class FixedRouter(Router):
    policy: Literal["fixed"] = "fixed"
    model: str
    """The model that gets every task."""

    def _default_label(self) -> str:
        return f"fixed:{self.model}"


class RandomRouter(Router):
    policy: Literal["random"] = "random"


RouterSpec = (
    EpsilonGreedyRouter
    | DecayingEpsilonGreedyRouter
    | Ucb1Router
    | UcbTunedRouter
    | KlUcbRouter
    | ImedRouter
    | ThompsonRouter
    | Exp3Router
    | LinUcbRouter
    | LinTsRouter
    | BudgetedRouter
    | QualityFloorRouter
    | CascadeRouter
    | FixedRouter
    | RandomRouter
)
RANGED = (Ucb1Router, UcbTunedRouter, KlUcbRouter, ImedRouter, Exp3Router)
"""Routers whose theory needs to know the range of rewards."""
CONTEXTUAL = (LinUcbRouter, LinTsRouter)
"""Routers that look at features of the task."""
CHARGED = (BudgetedRouter, QualityFloorRouter)
"""Routers that learn what answers cost, whatever the reward."""
NAMING = (FixedRouter, BudgetedRouter, QualityFloorRouter, CascadeRouter)
"""Routers that know models by name, and so must see them in the environment's order."""


def expand_router(value: Any) -> Any:
    """`thompson` stands for {policy: thompson}, `fixed:MODEL` for {policy: fixed, model: MODEL}."""
    if not isinstance(value, str):
        return value
    policy, _, model = value.partition(":")
    return {"policy": policy, "model": model} if model else {"policy": policy}


RouterEntry = Annotated[
    Annotated[RouterSpec, Field(discriminator="policy")],
    BeforeValidator(expand_router, json_schema_input_type=str | RouterSpec),
]
