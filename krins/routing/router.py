"""The router: a policy at work on one replication, choosing arms by name and learning what came of it.

Invariants: one generator, which is the router's alone; the same generator state and the same calls give the same
choices; bad input raises before anything changes. Feedback may come late, in any order, or never.
Left out: threads (one router has one owner), telling a repeated reward from a new one, and where the state is kept:
`state_file` turns a `Snapshot` into text.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from krins.interfaces import Context, FloatArray, Policy
from krins.routing.linear import largest_square
from krins.routing.steppers import ArrayStepper, Stepper, stepper


class Decision(NamedTuple):
    """One choice of a router."""

    arm: str
    probability: float | None
    """With which it was chosen; None where it takes `Router.propensities`, before anything else is learnt."""


_new = tuple.__new__


class Snapshot(NamedTuple):
    """Everything that a router is at one moment. It shares nothing with the router."""

    policy: Policy[Any]
    arms: tuple[str, ...]
    state: Any
    """The policy's, with one replication."""
    pending: tuple[int, ...]
    """For each arm: choices whose rewards are out."""
    rng: np.random.Generator
    buffers: tuple[FloatArray, ...]
    """Random numbers that were drawn ahead."""


class Router:
    """A policy at work. `arms` are the names of its arms, in the policy's order.

    Args:
        rng: the router's alone from now on, or the seed of a new one.
        state: the policy's, with one replication, where to begin (`warm_start`); by default where the policy does.
        arrays: step through the policy's arrays, even where there is a faster way, so that choices and state are to the
            last bit those of a run with one replication.

    Raises:
        ValueError: there are no arms, or one twice; `state` is not of one replication of them; what `policy.init`
            raises.
    """

    __slots__ = ("_largest_square", "_numbers", "_pending", "_rng", "_stepper", "arms", "n_features", "policy")

    def __init__(
        self,
        policy: Policy[Any],
        arms: Sequence[str],
        rng: np.random.Generator | int,
        *,
        state: Any = None,
        arrays: bool = False,
    ) -> None:
        if len(set(arms)) != len(arms):
            raise ValueError(f"arms have different names, got {', '.join(arms)}")
        self.policy = policy
        self.arms = tuple(arms)
        self.n_features = feature_width(policy)
        """None: the policy does not look at features."""
        self._largest_square = largest_square(getattr(_looking(policy), "ridge", 1.0))
        self._numbers = {arm: number for number, arm in enumerate(arms)}
        self._pending = [0] * len(arms)
        self._rng = np.random.default_rng(rng)
        fresh = policy.init(len(arms), 1)
        make: Callable[..., Stepper] = ArrayStepper if arrays else stepper
        self._stepper = make(policy, fresh if state is None else _own(state, fresh), self._rng)

    @classmethod
    def resume(cls, snapshot: Snapshot, *, arrays: bool = False) -> Router:
        """A router that goes on from a snapshot, to the last bit; the snapshot can be used again.

        Args:
            arrays: as for a new router; random numbers that were drawn ahead are then left unused.
        """
        snapshot = copy.deepcopy(snapshot)
        router = cls(snapshot.policy, snapshot.arms, snapshot.rng, state=snapshot.state, arrays=arrays)
        router._pending = list(snapshot.pending)
        if not arrays:
            router._stepper = stepper(snapshot.policy, snapshot.state, snapshot.rng, snapshot.buffers)
        return router

    @property
    def pending(self) -> dict[str, int]:
        """Choices of each arm whose rewards are out."""
        return dict(zip(self.arms, self._pending, strict=True))

    def decide(self, features: ArrayLike | None = None) -> Decision:
        """Choose an arm for a task and count it as pending.

        Args:
            features: of the task, shape (n_features,), for a policy that looks at them.

        Raises:
            ValueError: features are missing, not wanted, of another shape, or not finite.
        """
        row = None if features is None and self.n_features is None else self._row(features)
        number, probability = self._stepper.choose(self._pending, row)
        self._pending[number] += 1
        # Half the time of Decision(...), which goes through a function in Python.
        return _new(Decision, (self.arms[number], probability))

    def learn(
        self,
        arm: str,
        reward: float,
        *,
        probability: float | None = None,
        features: ArrayLike | None = None,
        quality: float | None = None,
        cost_usd: float | None = None,
        settles: bool = True,
    ) -> None:
        """Learn from the outcome of one choice, which is not pending any more.

        A reward for an arm without a pending choice is learnt all the same: the choice may be younger than the
        snapshot that this router was resumed from, or come from a log. Whoever hands out rewards makes sure that none
        is handed out twice.

        Args:
            probability: with which the arm was chosen.
            features: of the task, as given to `decide`.
            quality: in [0, 1].
            settles: whether the choice is among this router's own pending ones; False where another copy of the router
                made it.

        Raises:
            ValueError: the arm is unknown, a number is not finite or out of range, features are as `decide` refuses
                them, or the policy cannot learn from it.
        """
        number = self._number(arm)
        if not math.isfinite(reward):
            raise ValueError(f"a reward is a finite number, got {reward}")
        if probability is not None or quality is not None or cost_usd is not None:
            _check(probability, quality, cost_usd)
        row = None if features is None and self.n_features is None else self._row(features)
        self._stepper.learn(number, float(reward), row, probability, quality, cost_usd)
        if settles and self._pending[number]:
            self._pending[number] -= 1

    def expect(self, arm: str) -> None:
        """Somebody else chose `arm`, and its outcome will come: it is pending.

        Raises:
            ValueError: the arm is unknown.
        """
        self._pending[self._number(arm)] += 1

    def abandon(self, arm: str) -> None:
        """Of one choice of `arm` no outcome will come: it is not pending any more, and nothing is learnt.

        Raises:
            ValueError: the arm is unknown.
        """
        number = self._number(arm)
        if self._pending[number]:
            self._pending[number] -= 1

    def propensities(self, features: ArrayLike | None = None) -> FloatArray:
        """Shape (n_arms,): the probability of each arm at the next choice. Nothing is drawn.

        Raises:
            ValueError: as from `decide`.
        """
        row = None if features is None and self.n_features is None else self._row(features)
        context = Context(np.array([self._pending]), None if row is None else row[None, :])
        propensities: FloatArray = self.policy.propensities(self._stepper.state, context)[0]
        return propensities

    def snapshot(self) -> Snapshot:
        """Everything that `resume` needs."""
        now = (self.policy, self.arms, self._stepper.state, tuple(self._pending), self._rng, self._stepper.buffers)
        return copy.deepcopy(Snapshot(*now))

    def _number(self, arm: str) -> int:
        number = self._numbers.get(arm)
        if number is None:
            raise ValueError(f"unknown arm {arm!r}; this router has {', '.join(self.arms)}")
        return number

    def _row(self, features: ArrayLike | None) -> FloatArray:
        """Features of shape (n_features,), a copy."""
        name = type(self.policy).__name__
        if self.n_features is None:
            raise ValueError(f"{name} does not look at features; decide and learn without them")
        if features is None:
            raise ValueError(f"{name} needs {self.n_features} features of the task")
        row = np.array(features, np.float64)
        if row.shape != (self.n_features,):
            raise ValueError(f"{name} needs features of shape ({self.n_features},), got {row.shape}")
        # Written so that NaN fails. One product tells in a quarter of the time of isfinite.
        if not row.dot(row) <= self._largest_square:
            raise ValueError(
                "features hold a NaN or an infinite number, or are too long for the policy's ridge: scale them to "
                "about 1"
            )
        return row


def feature_width(policy: Any) -> int | None:
    """Features of a task that a policy looks at, or the one that it wraps; None: it looks at none."""
    return getattr(_looking(policy), "n_features", None)


def _looking(policy: Any) -> Any:
    """The policy in `policy`, itself or wrapped, that looks at features; None where there is none."""
    if hasattr(policy, "n_features") or not dataclasses.is_dataclass(policy):
        return policy if hasattr(policy, "n_features") else None
    inner = (_looking(getattr(policy, field.name)) for field in dataclasses.fields(policy))
    return next((found for found in inner if found is not None), None)


def _own(state: Any, like: Any) -> Any:
    """A copy of a state.

    Raises:
        ValueError: it is none of the kind of `like`.
    """
    if not isinstance(like, np.ndarray):
        if type(state) is not type(like):
            raise ValueError(f"the policy's state is a {type(like).__name__}, got a {type(state).__name__}")
        return type(like)(*(_own(part, other) for part, other in zip(state, like, strict=True)))
    if not isinstance(state, np.ndarray) or (state.dtype, state.shape) != (like.dtype, like.shape):
        found = f"{state.dtype} of shape {state.shape}" if isinstance(state, np.ndarray) else type(state).__name__
        raise ValueError(f"the policy's state needs an array of {like.dtype} of shape {like.shape}, got {found}")
    return state.copy()


def _check(probability: float | None, quality: float | None, cost_usd: float | None) -> None:
    # Written so that NaN fails.
    if probability is not None and not 0.0 < probability <= 1.0:
        raise ValueError(f"an arm was chosen with a probability in (0, 1], got {probability}")
    if quality is not None and not 0.0 <= quality <= 1.0:
        raise ValueError(f"quality lies in [0, 1], got {quality}")
    if cost_usd is not None and not 0.0 <= cost_usd < math.inf:
        raise ValueError(f"a cost is a finite number of USD of at least 0, got {cost_usd}")
