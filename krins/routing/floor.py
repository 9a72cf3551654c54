"""The exploration floor: whatever a policy chooses, every arm keeps a least probability.

A log in which each arm has a probability of at least floor / n_arms supports off-policy evaluation of every other
policy, with importance weights of at most n_arms / floor; the price is that share of choices.
Invariants: the state is the wrapped policy's, which learns from the uniform choices too; the wrapped policy always
draws, and then one uniform number decides, so that how many draws a choice takes does not depend on what was chosen.
Left out: a floor that falls over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from krins.interfaces import Choice, Context, Feedback, FloatArray, IntArray, Policy, State


@dataclass(frozen=True, slots=True)
class ExplorationFloor(Generic[State]):
    """With probability `floor` an arm uniformly at random, else the arm that `policy` chooses.

    Probabilities are (1 - floor) * p + floor / n_arms, exact where those of `policy` are; where its `choose` leaves
    them to `propensities`, so does this one. What `policy` promises on regret holds for the other choices at best: the
    floor costs a share of `floor` of the mean gap, for ever. State: that of `policy`.

    Raises:
        ValueError: floor is outside (0, 1]; from the methods, what `policy` raises.
    """

    policy: Policy[State]
    floor: float

    def __post_init__(self) -> None:
        if not 0.0 < self.floor <= 1.0:
            raise ValueError(f"floor is a probability and lies in (0, 1], got {self.floor}; for none, wrap nothing")

    @property
    def params(self) -> Mapping[str, Any]:
        return {"policy": {"name": type(self.policy).__name__, **self.policy.params}, "floor": self.floor}

    def init(self, n_arms: int, n_replications: int) -> State:
        return self.policy.init(n_arms, n_replications)

    def choose(self, state: State, context: Context, rng: np.random.Generator) -> Choice:
        inner = self.policy.choose(state, context, rng)
        n_replications, n_arms = context.pending.shape
        scaled = rng.random(n_replications) / self.floor
        # Below 1 it is uniform on [0, 1) once more and picks the arm; the product may round up to n_arms.
        any_arm = np.minimum((np.minimum(scaled, 1.0) * n_arms).astype(np.int64), n_arms - 1)
        arms = np.where(scaled < 1.0, any_arm, inner.arms)
        return Choice(arms, self._probabilities(state, context, inner, arms))

    def update(self, state: State, feedback: Feedback) -> State:
        return self.policy.update(state, feedback)

    def propensities(self, state: State, context: Context) -> FloatArray:
        return self._mixed(self.policy.propensities(state, context), context.pending.shape[1])

    def _probabilities(self, state: State, context: Context, inner: Choice, arms: IntArray) -> FloatArray | None:
        if inner.probabilities is None:
            return None
        if (arms == inner.arms).all():
            return self._mixed(inner.probabilities, context.pending.shape[1])
        # The wrapped policy has told the probability of its own arm alone.
        return self.propensities(state, context)[np.arange(arms.size), arms]

    def _mixed(self, probabilities: FloatArray, n_arms: int) -> FloatArray:
        mixed: FloatArray = (1.0 - self.floor) * probabilities + self.floor / n_arms
        return mixed
