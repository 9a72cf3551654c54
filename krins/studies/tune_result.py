"""What a tuning study found, as typed data: the split, the search, and figures on tasks that it never chose on.

This is what `--json` writes and the study's journal ends with. Invariants: figures of `trials` are of tuning tasks and
flatter whoever was chosen by them; those of `unseen` are of unseen tasks alone. Intervals are 95% over tasks, clustered
by repository, unless said; None means that the data cannot tell. Left out: where the winner was registered, which a
study can do again.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from krins.runs.result import Share

MARGINS = (0.01, 0.02, 0.05)
"""At which non-inferiority is tested, in quality."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Side(_Frozen):
    """One side of the split."""

    n_tasks: int
    n_repositories: int
    """A task whose repository is unknown is one of its own."""
    categories: dict[str, int]
    """Tasks of each; those without one under the empty name."""
    task_ids: list[str]


class SplitFigures(_Frozen):
    tuning: Side
    unseen: Side
    n_groups: int
    """Of tasks that stay together, on both sides."""
    n_near_twins: int
    """Pairs of near-identical prompts that no repository keeps together; of many that say the same, each with the
    first."""
    n_same_instance: int
    """The same, of task ids that name one instance in two benchmarks."""
    n_folds: int
    """Of the tuning tasks: candidates learn on all but one and are scored on that one, for each in turn; 1: they are
    scored on all, each task before its outcome is learnt from."""


class Trial(_Frozen):
    """A candidate, as far as it came. Figures are of tuning tasks."""

    candidate: int
    router: str
    policy: str
    params: dict[str, Any]
    is_suites: bool
    """It stands in the suite as it is."""
    rung: int
    """The last one that it reached, from 0 on."""
    n_replications: int
    reward: float
    reward_error: float
    """Standard error over replications."""
    quality: float
    cost_usd: float | None


class Versus(_Frozen):
    """A router against one model, on unseen tasks."""

    model: str
    quality_difference: Share
    standard_error: float | None
    """Of that difference."""
    saving: Share | None
    """1 - cost / cost of the model."""
    smallest_margin: float | None
    """The least by which quality is shown to be lower at most, with 97.5% confidence."""
    is_non_inferior: list[bool | None]
    """At each of `MARGINS`."""


class HullFigures(_Frozen):
    """Against mixing models at random, on unseen tasks."""

    models: list[str]
    gain: Share | None
    """Quality above mixing at the same cost; None outside the range of the mixtures."""
    saving: Share | None
    """1 - cost / cost of mixing at the same quality."""


class UnseenRow(_Frozen):
    """A router on unseen tasks, on which it goes on learning from what it learnt on the tuning tasks."""

    router: str
    roles: list[str]
    """Of winner, best of POLICY, suite."""
    params: dict[str, Any]
    quality: Share
    cost_usd: Share | None
    reward: Share
    reward_difference: Share
    """To the model with the highest reward on the tuning tasks."""
    chosen: Versus
    """Against the model with the highest quality on the tuning tasks."""
    hindsight: Versus
    """Against the model with the highest quality on the unseen tasks, which nobody could know."""
    chosen_hull: HullFigures | None
    """Against mixtures of the models that were on the hull of the tuning tasks."""
    hindsight_hull: HullFigures | None
    """Against the hull of the unseen tasks."""


class Fixed(_Frozen):
    """One model for every unseen task."""

    model: str
    quality: Share
    cost_usd: Share | None
    reward: Share


class TuneResult(_Frozen):
    study_id: str
    suite: str
    seed: int
    n_replications: int
    """Of every figure on unseen tasks, and of the last rung."""
    split: SplitFigures
    trials: list[Trial]
    """Best first."""
    winner: str
    winner_candidate: int
    """Its number among the candidates; the label is for readers."""
    winner_params: dict[str, Any]
    """As a suite would state it."""
    chosen_single: Fixed
    """The model with the highest quality on the tuning tasks."""
    chosen_fixed: Fixed
    """The one with the highest reward there."""
    hindsight_single: Fixed
    """The one with the highest quality on the unseen tasks."""
    hindsight_fixed: Fixed
    margins: list[float]
    unseen: list[UnseenRow]
    """The winner first."""
    notes: list[str]
    data_sha256: str | None
    suite_fingerprint: str
    krins_version: str
