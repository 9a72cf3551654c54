"""What would router B have scored and cost on the traffic that router A served?

Answered from A's log alone. B is asked at every decision what it would have done, having learnt from the log's outcomes
so far, and what it would have got is estimated from A's exact propensities. So the answer is for "B, learning from the
traffic that A served"; what B would have learnt from its own choices no log can tell. Where the log is of a recorded
run, whose table has an outcome for every model, the true answer is computed beside the estimates: it checks them, and
nothing of it goes into them.

Invariants: refused, with the reason, where the log lacks support. Decisions at which A had no alternative, as when each
model is tried once first, say nothing about B: they are left out, and counted. Left out: routers that steer by their
own spending or ask several models (budgeted, quality-floor, cascade): what they would do depends on what they had done.
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
from krins.runs.baselines import is_complete
from krins.runs.store import Store
from krins.statistics.off_policy import Estimate, all_estimates
from krins.statistics.overlap import Log, Overlap, overlap
from krins.statistics.reward_model import cross_fitted_predictions
from krins.studies.logged import Traffic, read_traffic

_CERTAIN = 1.0 - 1e-9


class Answer(NamedTuple):
    """About one quantity: quality, or cost in US dollars a task."""

    logged: float
    """Its mean in the log, under the router that made it."""
    estimates: tuple[Estimate, ...]
    """Under the other router."""
    known: float | None
    """The true mean on these decisions, where a recorded table tells it."""


class WhatIf(NamedTuple):
    run_id: str
    logged: str
    """Label of the router that made the log."""
    target: str
    """Label of the router that is asked about."""
    replication: int
    n_decisions: int
    n_forced: int
    """Further decisions, left out: the log's router had no alternative."""
    n_unanswered: int
    """Of `n_decisions`: those without an outcome to judge, which count as quality 0 at the model's mean cost."""
    n_clusters: int
    """Repositories; a task without one counts for itself."""
    logger_learnt: bool
    """Whether the log's router learnt while it made the log: then no estimate need be normal."""
    target_learns: bool
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
        return TypeAdapter(RouterEntry).validate_python(yaml.safe_load(text) if text.startswith("{") else text)
    except ValidationError as failure:
        first = failure.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        said = f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"
    except yaml.YAMLError as failure:
        said = " ".join(str(failure).split())
    raise SuiteError(
        f"{text!r} is no router: {said}",
        "name it as a suite would: thompson, fixed:MODEL, or {policy: epsilon-greedy, epsilon: 0.2}",
    )


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
    if not traffic.is_answered.any():
        raise RunError(f"run {run_id}: no decision of {traffic.router.label} has an outcome", "see what failed there")
    asked = _asked(traffic, router)
    has_costs = not np.isnan(traffic.cost_usd).any()
    return WhatIf(
        run_id=run_id,
        logged=traffic.router.label,
        target=router.label,
        replication=replication,
        n_decisions=len(asked.kept),
        n_forced=len(traffic.arms) - len(asked.kept),
        n_unanswered=int((~traffic.is_answered[asked.kept]).sum()),
        n_clusters=len(np.unique(traffic.clusters[asked.kept])),
        logger_learnt=_learns(traffic.router),
        target_learns=_learns(router),
        overlap=overlap(asked.log(traffic.quality), asked.target),
        quality=asked.answer(traffic.quality, traffic.table.quality),
        cost_usd=asked.answer(traffic.cost_usd, traffic.table.cost_usd) if has_costs else None,
    )


def _learns(router: Router) -> bool:
    return not isinstance(router, (FixedRouter, RandomRouter))


def as_json(answer: Any) -> Any:
    """A `WhatIf`, or a part of it, as plain objects; what is not known is null."""
    if isinstance(answer, tuple) and hasattr(answer, "_asdict"):
        return {name: as_json(part) for name, part in answer._asdict().items()}
    return [as_json(part) for part in answer] if isinstance(answer, tuple) else answer


class _Asked(NamedTuple):
    """A log and the probabilities of another router on it."""

    traffic: Traffic
    kept: IntArray
    """The decisions at which the logging router had a choice; for one that never has, all."""
    propensities: FloatArray
    """Shape (n_kept, n_arms), as `target`."""
    target: FloatArray

    def log(self, outcomes: FloatArray) -> Log:
        actions = self.traffic.arms[self.kept]
        chosen = self.propensities[np.arange(len(actions)), actions]
        clusters = np.unique(self.traffic.clusters[self.kept], return_inverse=True)[1]
        return Log(actions, chosen, outcomes[self.kept], clusters, self.propensities)

    def answer(self, outcomes: FloatArray, of_table: FloatArray) -> Answer:
        log = self.log(outcomes)
        estimates = all_estimates(log, self.target, self._predictions(log), np.random.default_rng(0))
        return Answer(float(log.outcomes.mean()), estimates, self._known(of_table))

    def _predictions(self, log: Log) -> FloatArray | None:
        if log.clusters.max() == 0:  # nothing is predicted from its own cluster, and there is no other
            return None
        features = self.traffic.ground.features
        # The first column is the intercept, which the model has of its own.
        inputs = None if features is None else features[self.traffic.tasks[self.kept]][:, 1:]
        return cross_fitted_predictions(log, self.target.shape[1], inputs)

    def _known(self, of_table: FloatArray) -> float | None:
        """With the mean over samples, for what other models would have drawn is open."""
        traffic = self.traffic
        if traffic.plan.suite.environment.kind != "recorded" or not is_complete(traffic.table):
            return None
        means = mean_over_samples(of_table)[traffic.tasks[self.kept]]
        return float((self.target * means).sum(axis=1).mean())


def _asked(traffic: Traffic, router: Router) -> _Asked:
    propensities, target = traffic.propensities, traffic.along(router)
    had_choice = propensities.max(axis=1) < _CERTAIN
    kept = np.flatnonzero(had_choice) if had_choice.any() else np.arange(len(had_choice))
    return _Asked(traffic, kept, propensities[kept], target[kept])
