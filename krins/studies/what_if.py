"""What would router B have scored and cost on the traffic that router A served?

Answered from A's log alone. B is asked at every decision what it would have done, having learnt from the log's outcomes
so far, and what it would have got is estimated from A's exact propensities. So the answer is for "B, learning from the
traffic that A served"; what B would have learnt from its own choices no log can tell. Where the log is of a recorded
run, whose table has an outcome for every model, the true answer is computed beside the estimates: it checks them, and
nothing of it goes into them.

Invariants: refused, with the reason, where the log lacks support. Left out: routers that steer by their own spending
or ask several models (budgeted, quality-floor, cascade): what they would do depends on what they had done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from krins.environments.table import mean_over_samples
from krins.errors import RunError, SuiteError, UserError
from krins.interfaces import FloatArray, IntArray
from krins.router_specs import CHARGED, CascadeRouter, FixedRouter, RandomRouter, Router, RouterEntry
from krins.runs.baselines import AMOUNT, SHARE, Range, is_complete
from krins.runs.store import Store
from krins.statistics.off_policy import Estimate, all_estimates
from krins.statistics.overlap import Log, Overlap, overlap
from krins.statistics.reward_model import cross_fitted_predictions
from krins.studies.logged import Traffic, read_traffic


class Answer(NamedTuple):
    """About one quantity: quality, or cost in US dollars a task."""

    logged: float
    """Its mean in the log, under the router that made it."""
    estimates: tuple[Estimate, ...]
    """Under the other router."""
    known: float | None
    """The true mean on these decisions, where the run's table tells it."""


class WhatIf(NamedTuple):
    run_id: str
    logged: str
    """Label of the router that made the log."""
    target: str
    """Label of the router that is asked about."""
    replication: int
    n_decisions: int
    n_unanswered: int
    """Decisions without an outcome to judge, which are left out."""
    n_repositories: int
    logger_learnt: bool
    """Whether the log's router learnt while it made the log: estimates stay unbiased, but need not be normal."""
    overlap: Overlap
    quality: Answer
    cost_usd: Answer | None
    """None where costs are not known."""


def parse_router(text: str) -> Router:
    """A router as a suite would name it: `thompson`, `fixed:MODEL` or `{policy: epsilon-greedy, epsilon: 0.2}`.

    Raises:
        SuiteError: it is none.
    """
    import yaml

    try:
        return TypeAdapter(RouterEntry).validate_python(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as failure:
        said = failure.errors(include_url=False)[0]["msg"] if isinstance(failure, ValidationError) else str(failure)
        raise SuiteError(
            f"{text!r} is no router: {said.removeprefix('Value error, ')}",
            "name it as a suite would: thompson, fixed:MODEL, or {policy: epsilon-greedy, epsilon: 0.2}",
        ) from None


def what_if(home: Path, run_id: str, router: Router, logged: str | None = None, replication: int = 0) -> WhatIf:
    """Estimate what `router` would have done on the traffic of the run's router `logged`, in one replication.

    Raises:
        RunError: there is no such run, router or replication.
        UserError: the router does not fit, or the log cannot speak for it.
    """
    if isinstance(router, (CascadeRouter, *CHARGED)):
        raise UserError(
            f"what {router.label} does depends on what it did before, which a log of another router does not tell",
            "run it on a recording, or ask about a router that chooses by what it has learnt of the models",
        )
    store = Store(home)
    run_id = store.find(run_id)
    traffic = read_traffic(store, run_id, logged, replication)
    kept = np.flatnonzero(traffic.is_answered)
    if not kept.size:
        raise RunError(f"run {run_id}: no decision of {traffic.router.label} has an outcome", "see what failed there")
    propensities = traffic.propensities
    logged_ones = propensities[np.arange(len(propensities)), traffic.arms]
    target = traffic.along(router, logged_ones)
    has_costs = not np.isnan(traffic.cost_usd[kept]).any()
    asked = _Asked(traffic, kept, propensities[kept], target[kept])
    return WhatIf(
        run_id=run_id,
        logged=traffic.router.label,
        target=router.label,
        replication=replication,
        n_decisions=kept.size,
        n_unanswered=len(propensities) - kept.size,
        n_repositories=len(np.unique(traffic.clusters)),
        logger_learnt=not isinstance(traffic.router, (FixedRouter, RandomRouter)),
        overlap=overlap(asked.log(traffic.quality), asked.target),
        quality=asked.answer(traffic.quality, traffic.table.quality, SHARE),
        cost_usd=asked.answer(traffic.cost_usd, traffic.table.cost_usd, AMOUNT) if has_costs else None,
    )


def as_json(found: WhatIf) -> dict[str, Any]:
    """The answer as plain objects; what is not known is null."""
    plain: dict[str, Any] = _plain(found)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _cut_off(estimate: Estimate, within: Range) -> Estimate:
    """With an interval that ends where the mean cannot be."""
    if estimate.low is None or estimate.high is None:
        return estimate
    return estimate._replace(low=max(estimate.low, within[0]), high=min(estimate.high, within[1]))


class _Asked(NamedTuple):
    """A log and the probabilities of another router on it, both of shape (n_kept, n_arms)."""

    traffic: Traffic
    kept: IntArray
    propensities: FloatArray
    target: FloatArray

    def log(self, outcomes: FloatArray) -> Log:
        actions = self.traffic.arms[self.kept]
        chosen = self.propensities[np.arange(len(actions)), actions]
        clusters = np.unique(self.traffic.clusters[self.kept], return_inverse=True)[1]
        return Log(actions, chosen, outcomes[self.kept], clusters, self.propensities)

    def answer(self, outcomes: FloatArray, of_table: FloatArray, within: Range) -> Answer:
        log, n_arms = self.log(outcomes), self.target.shape[1]
        features = self.traffic.ground.features
        inputs = None if features is None else features[self.traffic.tasks[self.kept]][:, 1:]
        predictions = cross_fitted_predictions(log, n_arms, inputs)
        estimates = all_estimates(log, self.target, predictions, np.random.default_rng(0))
        limited = tuple(_cut_off(estimate, within) for estimate in estimates)
        return Answer(float(log.outcomes.mean()), limited, self._known(of_table))

    def _known(self, of_table: FloatArray) -> float | None:
        """With the mean over samples, for what other models would have drawn is open."""
        if not is_complete(self.traffic.table):
            return None
        means = mean_over_samples(of_table)[self.traffic.tasks[self.kept]]
        return float((self.target * means).sum(axis=1).mean())
