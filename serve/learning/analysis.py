"""Questions that the service's own log answers: what routing saved, and what another router would have done.

Run as `python -m serve.learning.analysis HOME report [REFERENCE]` or `... HOME what-if ROUTER`; prints JSON, in which
`refused` says why a question cannot be answered. A process of its own, for it takes SciPy and reads the whole journal.
Invariants: estimates are self-normalised and refused where support is missing (`krins.statistics.overlap`); a saving is
claimed only where quality is not worse by more than the margin. What was spent on these decisions is known, so the
intervals are of what the others would have cost. Left out: what the router would have learnt from other choices, which
no log tells.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from krins.errors import KrinsError, UserError
from krins.interfaces import Feedback, FloatArray
from krins.router_specs import CHARGED, CONTEXTUAL, CascadeRouter
from krins.routing.build import Ground
from krins.statistics.off_policy import Estimate, snips
from krins.statistics.overlap import Log, overlap
from serve.learning.ids import key_at
from serve.learning.log import ServedLog, context_of, read_log

MARGIN = 0.02
"""Most that quality may be worse by where a lower cost is called a saving."""


def report(log: ServedLog, reference: str) -> dict[str, Any]:
    """The saving against always asking `reference`, by default the arm that the log shows to be dearest."""
    arm = _reference(log, reference)
    target = np.zeros((len(log.chosen), len(log.arms)))
    target[:, arm] = 1.0
    quality = _estimated(log, log.quality, target)
    cost = None if np.isnan(log.cost_usd).any() else _estimated(log, log.cost_usd, target)
    return {
        "saving": _saving(log, log.arms[arm], cost, quality),
        "cost_usd": cost and _told(cost, log.cost_usd),
        "quality": _told(quality, log.quality),
        "log": _about(log),
    }


def what_if(log: ServedLog, router: str) -> dict[str, Any]:
    """What another router, learning from this log, would have scored and cost on the same traffic."""
    target = _along(log, router)
    quality = _estimated(log, log.quality, target)
    cost = None if np.isnan(log.cost_usd).any() else _estimated(log, log.cost_usd, target)
    return {
        "router": router,
        "quality": _told(quality, log.quality),
        "cost_usd": cost and _told(cost, log.cost_usd),
        "overlap": overlap(_as_log(log, log.quality), target)._asdict(),
        "log": _about(log),
    }


def _reference(log: ServedLog, reference: str) -> int:
    if reference and reference not in log.arms:
        raise UserError(f"the router has no model {reference!r}", f"it has {', '.join(log.arms)}")
    if reference:
        return log.arms.index(reference)
    costs = np.nan_to_num(log.cost_usd)
    n = np.bincount(log.chosen, minlength=len(log.arms))
    means = np.bincount(log.chosen, weights=costs, minlength=len(log.arms)) / np.maximum(n, 1)
    return int(means.argmax())


def _saving(log: ServedLog, reference: str, cost: Estimate | None, quality: Estimate) -> dict[str, Any]:
    told: dict[str, Any] = {"reference": reference, "ratio": None, "interval": None, "is_claimed": False}
    if cost is None or cost.value <= 0:
        why = "costs are not known for every decision" if cost is None else f"{reference} costs nothing"
        return {**told, "words": f"No saving is claimed: {why}."}
    spent = float(log.cost_usd.mean())
    told["ratio"] = 1 - spent / cost.value
    if cost.low is None or cost.high is None or cost.low <= 0 or quality.high is None or not cost.claims_coverage:
        return {**told, "words": f"No saving is claimed: the log has too few decisions that {reference} would share."}
    told["interval"] = (1 - spent / cost.low, 1 - spent / cost.high)
    # Quality was what it was; the worst case is that the reference is as good as its interval allows.
    worst = float(log.quality.mean()) - quality.high
    if told["interval"][0] <= 0:
        return {**told, "words": f"No saving is claimed: the interval of {reference}'s cost holds what was spent."}
    if worst < -MARGIN:
        return {
            **told,
            "words": f"Less was spent than {reference} costs, and it is not called a saving: quality may be worse by "
            f"{-worst:.3f}, and the margin is {MARGIN}.",
        }
    low, high = told["interval"]
    words = (
        f"Saves {told['ratio']:.0%} ({low:.0%} to {high:.0%}) against always asking {reference}, at no worse quality"
    )
    return {**told, "is_claimed": True, "words": f"{words} than by {MARGIN}."}


def _along(log: ServedLog, text: str) -> FloatArray:
    """Shape (n, n_arms): what a router that learns from the log would have chosen, before each of its decisions."""
    from krins.studies.what_if import parse_router

    router = parse_router(text)
    if isinstance(router, (CascadeRouter, *CHARGED)):
        raise UserError(
            f"what {router.label} does depends on what it did before, which a log of another router does not tell",
            "ask about a router that chooses by what it has learnt of the models",
        )
    if isinstance(router, CONTEXTUAL) and log.features is None:
        raise UserError(f"{router.label} looks at features of tasks, which this log has none of", "ask about another")
    assert log.learnt.current is not None
    low, high = float(log.rewards.min()), float(log.rewards.max())
    ground = Ground(
        arm_names=log.arms,
        reward=log.learnt.current.began.loaded.reward,
        reward_range=(low, high) if low < high else (low, low + 1.0),
        is_binary=bool(np.isin(log.rewards, (0.0, 1.0)).all()),
        features=log.features,
    )
    policy = ground.policy(router)
    state = ground.state(router, policy, np.arange(len(log.arms))[None])
    target = np.empty((len(log.chosen), len(log.arms)))
    for row in range(len(log.chosen)):
        context = context_of(log, row)
        target[row] = policy.propensities(state, context)[0]
        at = slice(row, row + 1)
        state = policy.update(
            state,
            Feedback(
                log.chosen[at],
                log.rewards[at],
                probabilities=log.propensities[at],
                features=context.features,
                quality=log.quality[at],
                cost_usd=log.cost_usd[at],
            ),
        )
    return target


def _as_log(log: ServedLog, outcomes: FloatArray) -> Log:
    return Log(log.chosen, log.propensities, outcomes, log.conversations)


def _estimated(log: ServedLog, outcomes: FloatArray, target: FloatArray) -> Estimate:
    return snips(_as_log(log, outcomes), target)


def _told(estimate: Estimate, outcomes: FloatArray) -> dict[str, Any]:
    return {"logged": float(outcomes.mean()), **estimate._asdict()}


def _about(log: ServedLog) -> dict[str, Any]:
    return {"decisions": len(log.chosen), "left_out": log.left_out, "conversations": len(np.unique(log.conversations))}


def main(home: str, what: str, asked: str = "") -> int:
    folder = Path(home) / "serving"
    try:
        log = read_log(folder / "learning", key_at(folder / "decision.key"))
        answer = report(log, asked) if what == "report" else what_if(log, asked)
    except KrinsError as failure:
        answer = {"refused": failure.message, "remedy": failure.remedy}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
