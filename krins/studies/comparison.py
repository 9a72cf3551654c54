"""What a comparison of routers found, as typed data: `--json` writes it, reports draw it.

Invariants: differences are paired by task, router minus reference; shares and differences of quality lie in [-1, 1] (a
margin of two points is 0.02), costs are US dollars a task. `low`/`high` is the 95% interval over tasks, clustered by
repository where `is_clustered`; `simultaneous_low`/`simultaneous_high` hold for all routers compared at once
(Bonferroni); `replication_low`/`replication_high` is the central 95% of replications, the reference at its mean. None
means that the data cannot tell. Left out: how it is computed (`krins.studies.compare`).
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict

from krins.runs.result import Figure, Share

Verdict = Literal[
    "saving", "unadjusted", "not cheaper", "may not be cheaper", "quality is lower", "quality may be lower", "unknown"
]
"""What may be said of a router's cost beside the reference's, at the margin asked for: a saving, by its adjusted
p-value; a saving only if it alone had been looked at, by its own p-value; or why not."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ComparedRun(_Frozen):
    run_id: str
    suite: str
    environment: str
    """`recorded` or `live`."""
    seed: int
    n_replications: int
    passes: int


class Reference(_Frozen):
    """What routers are compared with."""

    label: str
    is_model: bool
    """Whether it is one fixed model, taken from the outcomes, rather than a router of the runs."""
    quality: Share
    cost_usd: Share | None
    reward: Share | None


class Difference(_Frozen):
    """A mean over tasks, with everything that limits it."""

    mean: float
    low: float | None
    high: float | None
    simultaneous_low: float | None
    simultaneous_high: float | None
    replication_low: float | None
    replication_high: float | None
    detectable: float | None
    """The true difference that these tasks would show at 5% (two-sided) with a power of 80%."""


class MarginTest(_Frozen):
    """One-sided tests that quality is not lower by `margin` and that the cost is lower."""

    margin: float
    p_quality: float | None
    p_saving: float | None
    p: float | None
    """Of both together: the larger one (intersection-union test)."""
    p_adjusted: float | None
    """Holm's, over the routers at this margin."""
    is_shown: bool
    """Whether the adjusted p-value is at most 0.025."""


class AgainstReference(_Frozen):
    quality: Difference
    saving: Difference | None
    """1 - cost / the reference's cost; None where either is not known, or the reference costs nothing."""
    reward: Difference | None
    tests: list[MarginTest]
    """By rising margin: the one asked for, and 1, 2 and 5 points."""
    smallest_margin: float | None
    """At which this router alone is shown not to be worse in quality; 0 where no margin is needed."""
    verdict: Verdict


class ComparedRouter(_Frozen):
    label: str
    """Unique: its run is named where two runs have a router of the same label."""
    router: str
    """Its label in its suite."""
    run_id: str
    is_simulated: bool
    """A cascade, whose verifier is simulated."""
    quality: Figure
    cost_usd: Figure | None
    reward: Figure | None
    """Mean reward a task, with the mean reward of each outcome that a decision could draw."""
    against_reference: AgainstReference | None
    """None for the reference itself, and for a router that is fixed to the model which is the reference."""
    hull_quality_gain: Figure | None
    """Quality above mixing fixed models at the same cost; None off the hull."""
    hull_cost_saving: Figure | None
    """1 - cost / the cost of mixing fixed models to the same quality."""


class HullModel(_Frozen):
    model: str
    cost_usd: Share
    quality: Share


class Frontier(_Frozen):
    """Quality that fixed models, mixed at random, reach for at most a cost. Lists have one entry for each cost."""

    models: list[HullModel]
    """At its corners, cheapest first."""
    cost_usd: list[float]
    quality: list[float]
    low: list[float | None]
    """Pointwise 95%, from a bootstrap that picks the corners anew in each draw."""
    high: list[float | None]
    n_draws: int
    """0 where there is no band."""
    is_clustered: bool
    """Whether the band's draws are of repositories; else of tasks."""


class GroupRow(_Frozen):
    """One router on the tasks of a group, or of a period. Intervals are plain ones."""

    label: str
    quality: Share
    cost_usd: Share | None
    difference: Share | None
    """Of quality to the reference's; None for the reference itself."""


class Group(_Frozen):
    """The tasks of one category or language."""

    kind: Literal["category", "language"]
    name: str
    n_tasks: int
    n_clusters: int
    rows: list[GroupRow]


class Period(_Frozen):
    name: str
    """Such as `2025`, `2025-Q1` or `2025-03`."""
    first: dt.date
    last: dt.date
    n_tasks: int
    n_clusters: int
    rows: list[GroupRow]


class DriftTrend(_Frozen):
    """A straight line through a router's quality minus the reference's over the dates of tasks."""

    label: str
    slope: float
    """Change of the difference in a year."""
    low: float
    high: float
    p: float
    """Two-sided, of no change."""
    p_adjusted: float
    """Holm's, over the routers."""


class Drift(_Frozen):
    n_dated: int
    """Tasks with a date; the others have no part in this."""
    periods: list[Period]
    trends: list[DriftTrend]
    """Of the routers for which the data can tell."""


class Comparison(_Frozen):
    runs: list[ComparedRun]
    n_tasks: int
    n_clusters: int
    is_clustered: bool
    """Whether intervals are clustered by repository: some repository has several of the tasks."""
    margin: float
    """Of quality: what may be lost where a lower cost is called a saving."""
    reference: Reference
    routers: list[ComparedRouter]
    frontier: Frontier | None
    """None where costs are not known, or not every model was tried on every task."""
    groups: list[Group]
    """By category, then by language; empty where there are no two of either."""
    drift: Drift | None
    """None where tasks have no two different dates."""
    notes: list[str]
    claim: str
    """One sentence: what may be claimed."""
