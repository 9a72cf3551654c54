"""Probabilities of arms that take a quadrature (0.5 ms), done once for each state of a router.

Invariants: what is kept is what would come out now. Left out: probabilities that a policy tells with its choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from krins.interfaces import FloatArray
from krins.routing.floor import ExplorationFloor
from krins.routing.forgetting import Discounted, SlidingWindow
from krins.routing.router import Decision, Router
from krins.routing.thompson import ThompsonBeta, ThompsonNormal

_LEAST = float(np.finfo(np.float64).tiny)


class Chances:
    """Of one router after another, which `(epoch, version)` tells apart."""

    def __init__(self) -> None:
        self._at: tuple[int, int] | None = None
        self._kept: Mapping[str, float] = {}

    def draw(self, router: Router, features: FloatArray | None, at: tuple[int, int]) -> Decision:
        """A decision with its probability."""
        drawn = router.decide(features)
        if drawn.probability is not None:
            return drawn
        if self._at != at:
            router.abandon(drawn.arm)  # as it was before the choice
            chances = self.of(router, features, at)
            router.expect(drawn.arm)
            if not looks_at_its_state_alone(router.policy):
                return Decision(drawn.arm, positive(chances[drawn.arm]))
            self._at, self._kept = at, chances
        return Decision(drawn.arm, positive(self._kept[drawn.arm]))

    def of(self, router: Router, features: FloatArray | None, at: tuple[int, int]) -> Mapping[str, float]:
        """By arm, at the next choice."""
        if self._at == at:
            return self._kept
        return dict(zip(router.arms, router.propensities(features).tolist(), strict=True))


def positive(probability: float) -> float:
    """A probability of what was chosen, whatever rounding made of it."""
    return min(max(probability, _LEAST), 1.0)


def looks_at_its_state_alone(policy: Any) -> bool:
    """And neither at tasks nor at what is pending; of those that leave probabilities to a quadrature."""
    if isinstance(policy, ExplorationFloor | Discounted | SlidingWindow):
        return looks_at_its_state_alone(policy.policy)
    return isinstance(policy, ThompsonBeta | ThompsonNormal)
