"""Steppers of the cheapest policies, on lists of floats.

Invariants: states are those of the array policies to the last bit, and so are choices and their probabilities, except
for Thompson's choices, which have the same distribution. Random numbers come from NumPy's generator, in blocks.
Left out: the protocol and who gets which stepper (`steppers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from krins.interfaces import FloatArray
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.tally import Tally
from krins.routing.thompson import BetaState, ThompsonBeta, not_binary
from krins.routing.ucb import UCB1

_BLOCK = 256
"""Numbers that are made at once, because NumPy makes hundreds in the time of a few."""
_GROWTH = 4
"""Each block of posterior draws is so many times the one before, up to `_BLOCK`."""


class _TallyStepper:
    """What epsilon-greedy and UCB1 share: the tally of `krins.routing.tally`, of whole counts, and who leads."""

    def __init__(self, state: Tally) -> None:
        self._counts: list[float] = state.counts[0].tolist()
        self._sums: list[float] = state.sums[0].tolist()
        self._means = [total / max(count, 1.0) for total, count in zip(self._sums, self._counts, strict=True)]
        self._learnt = sum(self._counts)
        self._all_rewarded = all(self._counts)

    @property
    def state(self) -> Tally:
        return Tally(np.array([self._counts]), np.array([self._sums]))

    def learn(self, arm: int, reward: float, /, *_: object) -> None:
        self._counts[arm] = count = self._counts[arm] + 1.0
        self._sums[arm] = total = self._sums[arm] + reward
        self._means[arm] = total / count
        self._learnt += 1.0
        if count == 1.0:
            self._all_rewarded = all(self._counts)

    def _lead(self, index: list[float], pending: Sequence[int]) -> tuple[int, bool]:
        """The leading arm and whether it leads because it was never tried: `leading_arms` in full."""
        for arm, (count, out) in enumerate(zip(self._counts, pending, strict=True)):
            if count + out == 0.0:
                return arm, True
        rewarded = [arm for arm, count in enumerate(self._counts) if count > 0.0]
        if rewarded:
            return max(rewarded, key=index.__getitem__), False
        return pending.index(min(pending)), False


class EpsilonGreedyStepper(_TallyStepper):
    """`EpsilonGreedy`, with its uniform draws made in blocks."""

    def __init__(
        self,
        policy: EpsilonGreedy | DecayingEpsilonGreedy,
        state: Tally,
        rng: np.random.Generator,
        buffers: Sequence[FloatArray] = (),
    ) -> None:
        super().__init__(state)
        self._rng = rng
        self._n_arms = len(self._counts)
        self._epsilon = policy.epsilon if isinstance(policy, EpsilonGreedy) else 1.0
        self._draws: list[float] = buffers[0].tolist() if buffers else []
        """The next one is the last."""

    @property
    def buffers(self) -> tuple[FloatArray, ...]:
        return (np.array(self._draws, np.float64),)

    def choose(self, pending: Sequence[int], features: FloatArray | None, /) -> tuple[int, float | None]:
        if not self._draws:
            self._draws = self._rng.random(_BLOCK)[::-1].tolist()
        n_arms, means, epsilon = self._n_arms, self._means, self._epsilon
        if self._all_rewarded:
            greedy = means.index(max(means))
        else:
            greedy, forced = self._lead(means, pending)
            if forced:
                epsilon = 0.0
        scaled = self._draws.pop() * n_arms
        arm = int(scaled)
        if scaled - arm >= epsilon:
            arm = greedy
        each = epsilon / n_arms
        return arm, 1.0 - epsilon + each if arm == greedy else each


class DecayingEpsilonGreedyStepper(EpsilonGreedyStepper):
    """`DecayingEpsilonGreedy`: the rate follows the rewards learnt."""

    def __init__(
        self,
        policy: DecayingEpsilonGreedy,
        state: Tally,
        rng: np.random.Generator,
        buffers: Sequence[FloatArray] = (),
    ) -> None:
        super().__init__(policy, state, rng, buffers)
        self._decay = policy.scale * self._n_arms
        self._epsilon = min(1.0, self._decay / max(self._learnt, 1.0))

    def learn(self, arm: int, reward: float, /, *_: object) -> None:
        super().learn(arm, reward)
        self._epsilon = min(1.0, self._decay / self._learnt)


class UCB1Stepper(_TallyStepper):
    """`UCB1`, with the widths for the next totals made in blocks."""

    buffers: tuple[FloatArray, ...] = ()

    def __init__(
        self, policy: UCB1, state: Tally, rng: np.random.Generator, buffers: Sequence[FloatArray] = ()
    ) -> None:
        super().__init__(state)
        self._policy = policy
        self._first = 0.0
        self._widths: list[float] = []

    def choose(self, pending: Sequence[int], features: FloatArray | None, /) -> tuple[int, float | None]:
        ahead = int(self._learnt - self._first)
        if ahead >= len(self._widths):
            self._first, ahead = self._learnt, 0
            learnt = np.maximum(self._learnt + np.arange(_BLOCK), 1.0)
            self._widths = self._policy.squared_width(np.log(learnt)).tolist()
        width = self._widths[ahead]
        if self._all_rewarded:
            index = [sqrt(width / count) + mean for count, mean in zip(self._counts, self._means)]  # noqa: B905
            return index.index(max(index)), 1.0
        counts = [max(count, 1.0) for count in self._counts]
        index = [sqrt(width / count) + mean for count, mean in zip(counts, self._means, strict=True)]
        return self._lead(index, pending)[0], 1.0


class ThompsonBetaStepper:
    """`ThompsonBeta`, with an arm's posterior draws made in blocks and used until its posterior changes.

    Draws from one posterior are independent of each other and of what was chosen before, so an arm's unused draws are
    as good as new ones as long as it learns nothing: each choice is distributed as with draws of its own.
    """

    def __init__(
        self, policy: ThompsonBeta, state: BetaState, rng: np.random.Generator, buffers: Sequence[FloatArray] = ()
    ) -> None:
        self._alpha: list[float] = state.alpha[0].tolist()
        self._beta: list[float] = state.beta[0].tolist()
        self._rng = rng
        # Blocks begin small: most draws of the arm that is chosen most are thrown away unused.
        self._sizes: list[int] = [1] * len(self._alpha)
        self._draws: list[list[float]] = [[] for _ in self._alpha]
        if buffers:
            self._sizes = [int(size) for size in buffers[0]]
            self._draws = [buffer.tolist() for buffer in buffers[1:]]

    @property
    def state(self) -> BetaState:
        return BetaState(np.array([self._alpha]), np.array([self._beta]))

    @property
    def buffers(self) -> tuple[FloatArray, ...]:
        """The sizes of the next blocks, and what is left of each arm's last one."""
        return (np.array(self._sizes, np.float64), *(np.array(left, np.float64) for left in self._draws))

    def choose(self, pending: Sequence[int], features: FloatArray | None, /) -> tuple[int, float | None]:
        if not all(self._draws):
            self._refill()
        draws = [left.pop() for left in self._draws]
        return draws.index(max(draws)), None

    def learn(self, arm: int, reward: float, /, *_: object) -> None:
        if reward != 0.0 and reward != 1.0:
            raise not_binary(reward)
        self._alpha[arm] += reward
        self._beta[arm] += 1.0 - reward
        self._draws[arm], self._sizes[arm] = [], 1

    def _refill(self) -> None:
        for arm, left in enumerate(self._draws):
            if not left:
                size, alpha, beta = self._sizes[arm], self._alpha[arm], self._beta[arm]
                # A single draw takes two thirds of the time without an array.
                one = size == 1
                self._draws[arm] = [self._rng.beta(alpha, beta)] if one else self._rng.beta(alpha, beta, size).tolist()
                self._sizes[arm] = min(_GROWTH * size, _BLOCK)
