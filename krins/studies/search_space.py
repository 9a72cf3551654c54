"""The candidates of a search: routers with hyper-parameters drawn from a stated space.

    epsilon-greedy            epsilon 0.005 to 0.3 (log)
    epsilon-greedy-decaying   scale 0.05 to 10 (log)
    thompson                  as it is; scored rewards of 0 and 1 get Beta posteriors, others normal ones
    ucb-tuned                 as it is, or with a discount that remembers 100 to 10,000 rewards (log)
    kl-ucb                    c 0 to 1; the same discount, or none
    imed                      as ucb-tuned
    linucb                    alpha 0.05 to 2 (log), ridge 0.1 to 100 (log), shared or not
    lints                     scale 0.05 to 1 (log), ridge 0.1 to 100 (log), shared or not

Points are a scrambled Sobol sequence (Sobol 1967; Owen 1998) in the unit cube of each family: any first few of them
fill it evenly. Numbers are rounded to three digits, so that a suite can name what was found. Invariants: candidates
follow from suite, seed and their number, and no two share a label; whatever the suite itself lists is a candidate too,
as it stands, and so is each model alone, for the winner must be better than that. Left out: priors, which only a suite
can give; and what cannot win (`is_candidate`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from krins.router_specs import (
    RANGED,
    BudgetedRouter,
    CascadeRouter,
    DecayingEpsilonGreedyRouter,
    EpsilonGreedyRouter,
    FixedRouter,
    ImedRouter,
    KlUcbRouter,
    LinTsRouter,
    LinUcbRouter,
    QualityFloorRouter,
    Router,
    ThompsonRouter,
    UcbTunedRouter,
)
from krins.suite import Suite

Point = list[float]
"""In the unit cube."""


class Family(NamedTuple):
    """One policy and its space."""

    router: type[Router]
    n_dimensions: int
    params: Callable[[Point], dict[str, Any]]


class Candidate(NamedTuple):
    number: int
    router: Router
    is_suites: bool
    """It stands in the suite as it is."""

    @property
    def is_exact(self) -> bool:
        """Its score holds no chance: it is one model's mean."""
        return isinstance(self.router, FixedRouter)


def _log(at: float, low: float, high: float) -> float:
    return float(f"{low * (high / low) ** at:.3g}")


def _discount(at: float) -> dict[str, Any]:
    """None in the lower half, else one that remembers from 10,000 down to 100 rewards."""
    return {} if at < 0.5 else {"discount": round(1.0 - _log(2.0 * at - 1.0, 1e-4, 1e-2), 6)}


def _linear(width: str, low: float, high: float) -> Callable[[Point], dict[str, Any]]:
    return lambda at: {width: _log(at[0], low, high), "ridge": _log(at[1], 0.1, 100.0), "shared": at[2] >= 0.5}


FAMILIES = (
    Family(EpsilonGreedyRouter, 1, lambda at: {"epsilon": _log(at[0], 0.005, 0.3)}),
    Family(DecayingEpsilonGreedyRouter, 1, lambda at: {"scale": _log(at[0], 0.05, 10.0)}),
    Family(ThompsonRouter, 0, lambda at: {}),
    Family(UcbTunedRouter, 1, lambda at: _discount(at[0])),
    Family(KlUcbRouter, 2, lambda at: {"c": round(at[0], 3), **_discount(at[1])}),
    Family(ImedRouter, 1, lambda at: _discount(at[0])),
)
CONTEXTUAL_FAMILIES = (
    Family(LinUcbRouter, 3, _linear("alpha", 0.05, 2.0)),
    Family(LinTsRouter, 3, _linear("scale", 0.05, 1.0)),
)
"""Where the suite names features."""


def is_candidate(router: Router) -> bool:
    """Whether a router of the suite can win: a cascade's verifier is simulated, and what is budgeted or keeps a floor
    maximises something else than the reward."""
    return not isinstance(router, (CascadeRouter, BudgetedRouter, QualityFloorRouter))


def candidates(
    suite: Suite, reward_range: tuple[float, float], n_points: int, models: Sequence[str] = ()
) -> list[Candidate]:
    """The suite's own routers first, then each model alone, then up to `n_points` distinct ones of each family.

    Args:
        models: of the table.
        reward_range: least and greatest reward to be expected, for policies that need to know it.
    """
    own = [router for router in suite.routers if is_candidate(router)]
    families = FAMILIES + (CONTEXTUAL_FAMILIES if suite.features else ())
    drawn = [
        router.model_copy(update={"reward_range": reward_range}) if isinstance(router, RANGED) else router
        for number, family in enumerate(families)
        for router in _draw(family, number, suite, n_points)
    ]
    found: dict[str, Router] = {}
    for router in [*own, *(FixedRouter(model=model) for model in models), *drawn]:
        found.setdefault(identity(router), router)
    taken = {router.label: identity(router) for router in suite.routers}
    return [
        Candidate(number, _distinct(router, number, taken), router in own)
        for number, router in enumerate(found.values())
    ]


def identity(router: Router) -> str:
    """What the router does, as text: all but its name."""
    return router.model_dump_json(exclude={"name"})


def _distinct(router: Router, number: int, taken: dict[str, str]) -> Router:
    """The router, named by its number where its label is another's in the suite: a suite may call one router what is
    the label of another."""
    if taken.setdefault(router.label, identity(router)) == identity(router):
        return router
    return router.model_copy(update={"name": f"{router.label} (candidate {number})"})


def _draw(family: Family, number: int, suite: Suite, n_points: int) -> list[Router]:
    if family.n_dimensions == 0:
        return [family.router.model_validate({})]
    import numpy as np
    from scipy.stats import qmc

    rng = np.random.default_rng([suite.seed, 3, number])
    sequence = qmc.Sobol(family.n_dimensions, scramble=True, rng=rng)
    # A power of two keeps the sequence balanced; its beginning fills the cube evenly too.
    points = sequence.random_base2((n_points - 1).bit_length())[:n_points]
    return [family.router.model_validate(family.params(point.tolist())) for point in points]
