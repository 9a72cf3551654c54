"""Steppers: one replication of a policy, made fast enough to be called once for each request.

NumPy takes microseconds for what plain floats do in nanoseconds, once there are nine numbers instead of thousands.
So the policies that are cheap by nature have a stepper of their own (`scalar_steppers`, `linear_stepper`); all others
take `ArrayStepper`, which is the policy itself with one replication.

Invariants: a stepper begins from an array state and gives it back at any time, so that propensities and files come
from the policy alone. The arithmetic is the array policy's, operation by operation (tests/routing/test_steppers.py).
Only exact types have a fast stepper: a subclass may mean something else.
Left out: which choices are pending, names of arms, and whether what comes in makes sense (`router`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from krins.interfaces import Context, Feedback, FloatArray, Policy
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.linear import LinTS, LinUCB
from krins.routing.linear_stepper import LinTSStepper, LinUCBStepper
from krins.routing.scalar_steppers import (
    DecayingEpsilonGreedyStepper,
    EpsilonGreedyStepper,
    ThompsonBetaStepper,
    UCB1Stepper,
)
from krins.routing.tally import Tally
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCB1


class Stepper(Protocol):
    """One replication of a policy at work."""

    @property
    def state(self) -> Any:
        """The policy's array state with one replication. It may be the stepper's own: copy it before it goes on."""
        ...

    @property
    def buffers(self) -> tuple[FloatArray, ...]:
        """Random numbers that were drawn and not used yet; given to a new stepper, they are used first."""
        ...

    def choose(self, pending: Sequence[int], features: FloatArray | None, /) -> tuple[int, float | None]:
        """The chosen arm and its probability, None where it takes `Policy.propensities`.

        Args:
            pending: choices of each arm whose rewards are out.
            features: shape (n_features,).
        """
        ...

    def learn(
        self,
        arm: int,
        reward: float,
        features: FloatArray | None,
        probability: float | None,
        quality: float | None,
        cost_usd: float | None,
        /,
    ) -> None:
        """Learn from one choice; the arguments are those of `Feedback`, with features of shape (n_features,).

        Raises:
            ValueError: what the policy raises; then nothing is learnt.
        """
        ...


def stepper(policy: Policy[Any], state: Any, rng: np.random.Generator, buffers: Sequence[FloatArray] = ()) -> Stepper:
    """The fastest stepper for a policy, beginning from a state with one replication, which is given up."""
    if isinstance(state, Tally) and (state.counts % 1.0).any():
        # A warm start may weigh fractions, whose sum depends on the order in which NumPy adds.
        return ArrayStepper(policy, state, rng)
    if isinstance(policy, LinUCB | LinTS) and policy.shared:
        return ArrayStepper(policy, state, rng)
    return _FAST.get(type(policy), ArrayStepper)(policy, state, rng, buffers)


class ArrayStepper:
    """Any policy, through its arrays."""

    buffers: tuple[FloatArray, ...] = ()

    def __init__(
        self, policy: Policy[Any], state: Any, rng: np.random.Generator, buffers: Sequence[FloatArray] = ()
    ) -> None:
        self._policy, self._rng, self.state = policy, rng, state

    def choose(self, pending: Sequence[int], features: FloatArray | None, /) -> tuple[int, float | None]:
        context = Context(np.array([pending]), None if features is None else features[None, :])
        arms, probabilities = self._policy.choose(self.state, context, self._rng)
        return int(arms[0]), None if probabilities is None else float(probabilities[0])

    def learn(
        self,
        arm: int,
        reward: float,
        features: FloatArray | None,
        probability: float | None,
        quality: float | None,
        cost_usd: float | None,
        /,
    ) -> None:
        # New arrays each time: a policy may keep them in its state.
        feedback = Feedback(
            arms=np.array([arm]),
            rewards=np.array([reward]),
            probabilities=None if probability is None else np.array([probability]),
            features=None if features is None else features[None, :],
            quality=None if quality is None else np.array([quality]),
            cost_usd=None if cost_usd is None else np.array([cost_usd]),
        )
        self.state = self._policy.update(self.state, feedback)


_FAST: dict[type[Any], Callable[..., Stepper]] = {
    EpsilonGreedy: EpsilonGreedyStepper,
    DecayingEpsilonGreedy: DecayingEpsilonGreedyStepper,
    UCB1: UCB1Stepper,
    ThompsonBeta: ThompsonBetaStepper,
    LinUCB: LinUCBStepper,
    LinTS: LinTSStepper,
}
