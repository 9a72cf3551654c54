"""The result of a run: the numbers of its table, its baselines and its learning curves, as typed data.

This is what `--json` writes and the journal's last record holds; reports draw it and tracking logs it, and nobody
computes it twice. Invariants: a figure comes with two kinds of uncertainty, never mixed: `low`/`high` is the 95%
interval over tasks, clustered by repository; `replication_low`/`replication_high` is the central 95% of replications.
None means that the data cannot tell. Left out: single decisions (see `RunResult.decisions`, read from Parquet).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    import pandas as pd

    from krins.statistics.clustered import Interval


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Figure(_Frozen):
    """A mean with its interval over tasks and its spread over replications."""

    mean: float
    low: float | None = None
    high: float | None = None
    replication_low: float | None = None
    replication_high: float | None = None


class Share(_Frozen):
    """A mean and its 95% interval over tasks; limits are None where the data cannot give any."""

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, found: Interval | None) -> Share | None:
        return None if found is None else cls(mean=found.mean, low=found.low, high=found.high)


class ErrorCounts(_Frozen):
    """Decisions that had no answer to judge, over all replications, by whose fault it was."""

    model: int = 0
    infrastructure: int = 0
    budget: int = 0
    """Decisions that found no room in a limit on spending."""


class Curve(_Frozen):
    """Running totals of one replication after `steps` decisions: means, and the central 95% for regret."""

    steps: list[int]
    regret: list[float] | None
    regret_low: list[float] | None
    regret_high: list[float] | None
    cost_usd: list[float] | None
    tokens: list[float] | None
    quality: list[float]
    """Mean quality of the decisions so far."""


SpecificityRange = tuple[float, float]


class BreakEven(_Frozen):
    """How good a SIMULATED verifier must be for a cascade to pay: for each sensitivity the least and the greatest
    specificity with which it does (None: none is enough). Between them it does too, but for rare gaps."""

    sensitivity: list[float]
    better_reward: list[SpecificityRange | None]
    """For more reward than the best fixed model has, on these tasks."""
    surely_better_reward: list[SpecificityRange | None]
    """The same, shown by the 95% interval over tasks."""
    saving: list[SpecificityRange | None]
    """For a lower cost than the best single model's at a quality that is lower by at most the suite's margin."""
    sure_saving: list[SpecificityRange | None]
    """The same, shown by the 95% intervals over tasks."""


class RouterResult(_Frozen):
    """One row of the table."""

    router: str
    params: dict[str, Any]
    n_decisions: int
    """Over all replications."""
    quality: Figure
    """Mean over all decisions; one without an answer counts as 0."""
    quality_answered: Figure | None
    """The same over decisions without infrastructure errors."""
    cost_usd: Figure | None
    """Mean US dollars a task."""
    tokens: Figure | None
    """Mean input and output tokens a task."""
    quality_difference_vs_best_single: Figure | None
    saving_vs_best_single: Figure | None
    """1 - cost / cost of the best single model."""
    is_saving: bool | None
    """Whether the lower cost may be called a saving: the intervals over tasks show that it is cheaper, and that quality
    is non-inferior at the suite's margin."""
    hull_quality_gain: Figure | None
    """Quality above random mixing on the hull at the same cost."""
    hull_cost_saving: Figure | None
    """1 - cost / cost of random mixing on the hull at the same quality."""
    regret_vs_best_fixed: Figure | None
    """Total reward short of the best fixed arm, in one replication."""
    regret_vs_oracle: Figure | None
    errors: ErrorCounts
    curve: Curve
    break_even: BreakEven | None = None
    """Of a cascade."""
    context_tokens: Figure | None = None
    """Mean o200k tokens of a task's source tree that its prompts showed, over decisions of tasks that have one; None,
    as the next two, where none has."""
    whole_context_tokens: Figure | None = None
    """The same, had they shown whole trees: the baseline."""
    context_token_saving: Figure | None = None
    """1 - context tokens / those of whole trees."""


class Baseline(_Frozen):
    """What one fixed rule reaches on the same tasks."""

    model: str | None = None
    quality: Figure
    cost_usd: Figure | None
    reward: float
    """Mean reward a task."""


class Baselines(_Frozen):
    """None where not every model was tried on every task (a live suite without a `fixed:` router for each)."""

    best_single: Baseline
    """The one model with the highest quality."""
    best_fixed: Baseline
    """The one model with the highest reward; regret is measured against it."""
    oracle: Baseline
    """For each task the model with the highest reward; regret is measured against it too."""
    cheapest_correct: Baseline | None
    """For each task the cheapest of the models with the highest quality."""
    random: Baseline
    """Each task to a model drawn uniformly."""
    hull: list[Baseline]
    """The models on the upper hull of cost and quality, cheapest first."""


class PipelineFigures(_Frozen):
    """What became of one model's answers on the way to the changes that were submitted."""

    model: str
    n_attempts: int
    n_answers: int
    """Of the proposer: at least one an attempt, unless it could not be asked."""
    unusable: Share | None
    """Share of the answers out of which no change could be read."""
    accepted: Share | None
    """Share of the attempts that submitted what gates and judge had accepted."""
    accepted_right: Share | None
    """Share of those that the hidden tests pass."""
    tests_written: Share | None = None
    """Share of the attempts with generated tests that fail on the unchanged tree; None where none were asked for."""
    tests_agree: Share | None = None
    """Share of those whose tests said of the submitted change what the hidden ones said."""


class RunResult(_Frozen):
    """Everything that a run's table shows."""

    run_id: str
    suite: str
    environment: str
    """`recorded` or `live`."""
    seed: int
    n_tasks: int
    n_repositories: int
    """Clusters of the intervals; a task whose repository is unknown is one of its own."""
    n_replications: int
    passes: int
    non_inferiority_margin: float
    elapsed_seconds: float
    """Of the process that finished it; a run that was resumed took longer."""
    billed_usd: Decimal
    """Paid in this run: each answer once, however many routers used it. 0 for recorded suites."""
    notes: list[str]
    """What a reader must know: imputed values, missing baselines, failures."""
    routers: list[RouterResult]
    baselines: Baselines | None
    pipeline: list[PipelineFigures] = []
    """Of a live run whose answers pass more than hidden tests: one for each model, over all that it was given."""
    context_tokens: Figure | None = None
    """As of a router, over the decisions of all; so are the next two."""
    whole_context_tokens: Figure | None = None
    context_token_saving: Figure | None = None
    folder: Path = Field(Path(), exclude=True)
    """Where the run's journal and Parquet files lie; not part of the JSON."""

    @property
    def table(self) -> pd.DataFrame:
        """The table as a data frame: a row a router, columns `quality.mean`, `quality.low` and so on."""
        import pandas as pd

        rows = [router.model_dump(exclude={"curve", "params", "break_even"}) for router in self.routers]
        return pd.json_normalize(rows).set_index("router")

    @property
    def curves(self) -> pd.DataFrame:
        """The learning curves in long form: columns router, steps, regret, cost_usd, tokens, quality."""
        import pandas as pd

        frames = [pd.DataFrame(router.curve.model_dump()).assign(router=router.router) for router in self.routers]
        return pd.concat(frames, ignore_index=True)

    @property
    def decisions(self) -> pd.DataFrame:
        """Every decision: columns router, replication, step, task_id, model, sample, probability."""
        import pandas as pd

        return pd.read_parquet(self.folder / "decisions.parquet")

    @property
    def outcomes(self) -> pd.DataFrame:
        """Every outcome that decisions drew from."""
        import pandas as pd

        return pd.read_parquet(self.folder / "outcomes.parquet")
