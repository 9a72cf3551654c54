"""From a suite's router entries to policies, and to the states that they begin with.

Invariant: a policy knows arms by number alone, so this is where names become numbers. Left out: how policies work, and
cascades, which are no policy of one choice a task (`krins.environments.cascade`).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np

from krins.errors import SuiteError
from krins.interfaces import FloatArray, IntArray, Policy
from krins.router_specs import (
    RANGED,
    AdaptiveRouter,
    BudgetedRouter,
    CascadeRouter,
    DecayingEpsilonGreedyRouter,
    EpsilonGreedyRouter,
    Exp3Router,
    FixedRouter,
    ForgettingRouter,
    ImedRouter,
    KlUcbRouter,
    LinTsRouter,
    LinUcbRouter,
    Prior,
    QualityFloorRouter,
    RandomRouter,
    RangedRouter,
    Router,
    ThompsonRouter,
    Ucb1Router,
    UcbTunedRouter,
)
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.budgeted import Budgeted
from krins.routing.divergence import IMED, KLUCB
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.exp3 import EXP3
from krins.routing.floor import ExplorationFloor
from krins.routing.forgetting import Discounted, SlidingWindow
from krins.routing.linear import LinTS, LinUCB
from krins.routing.quality_floor import QualityFloor
from krins.routing.restart import Restarting
from krins.routing.reward import reward_values
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1, UCBTuned
from krins.routing.warm_start import warm_start
from krins.suite import Reward


@dataclass(frozen=True)
class Ground:
    """What policies of one suite are built for."""

    arm_names: Sequence[str]
    reward: Reward
    reward_range: tuple[float, float]
    """Least and greatest reward that is known of, for what a router does not state."""
    is_binary: bool
    """Every reward is known to be 0 or 1."""
    features: FloatArray | None = None
    """Shape (n_tasks, n_features): of the tasks."""
    exploration_floor: float = 0.0
    """The suite's."""

    def policy(self, router: Router) -> Policy[Any]:
        """The policy that a router entry asks for.

        Raises:
            SuiteError: the router names a model that the environment does not have, needs features that the suite does
                not name, or has a likelihood that does not fit.
        """
        policy = self._plain(router)
        if isinstance(router, ForgettingRouter):
            policy = self._forgetful(router, policy)
        if not isinstance(router, AdaptiveRouter):
            return policy
        floor = self.exploration_floor if router.exploration_floor is None else router.exploration_floor
        return ExplorationFloor(policy, floor) if floor else policy

    def state(self, router: Router, policy: Policy[Any], order: IntArray) -> Any:
        """Where the policy begins: cold, or at the router's prior; `order`, of shape (n_replications, n_arms), are the
        numbers of the arms as each replication's policy sees them."""
        state = policy.init(len(self.arm_names), len(order))
        if not isinstance(router, ForgettingRouter) or router.prior is None:
            return state
        return warm_start(state, self._expected(router, router.prior)[order], router.prior.weight)

    def _plain(self, router: Router) -> Policy[Any]:
        """Without what all routers have in common."""
        match router:
            case EpsilonGreedyRouter():
                return EpsilonGreedy(router.epsilon)
            case DecayingEpsilonGreedyRouter():
                return DecayingEpsilonGreedy(router.scale)
            case ThompsonRouter():
                return self._thompson(router)
            case Ucb1Router() | UcbTunedRouter() | KlUcbRouter() | ImedRouter() | Exp3Router():
                return _ranged(router)
            case LinUcbRouter() | LinTsRouter():
                return self._linear(router)
            case BudgetedRouter():
                return Budgeted(router.usd_per_task, expected_usd=self._expected_usd(router))
            case QualityFloorRouter():
                reference = arm_number(router, router.reference, self.arm_names)
                return QualityFloor(reference, router.margin, router.confidence)
            case FixedRouter():
                return FixedArm(arm_number(router, router.model, self.arm_names))
            case RandomRouter():
                return UniformRandom()
            case _:
                raise AssertionError(f"{router.policy} is no policy of one choice a task")

    def _thompson(self, router: ThompsonRouter) -> ThompsonBeta | ThompsonNormal:
        if router.likelihood == "bernoulli" and not self.is_binary:
            raise SuiteError(
                f"router {router.label}: the bernoulli likelihood takes rewards of 0 and 1, this suite's are real "
                "numbers",
                "use `likelihood: normal`, or a reward of quality alone on outcomes of 0 and 1",
            )
        is_beta = self.is_binary if router.likelihood == "auto" else router.likelihood == "bernoulli"
        return ThompsonBeta() if is_beta else ThompsonNormal()

    def _forgetful(self, router: ForgettingRouter, policy: Policy[Any]) -> Policy[Any]:
        discount, window, restart = router.discount, router.window, router.restart
        if (discount or window) and isinstance(policy, ThompsonNormal):
            raise SuiteError(
                f"router {router.label}: what thompson learns of real rewards does not add up, so that it cannot be "
                "forgotten bit by bit",
                "use `restart`, or a reward of quality alone on outcomes of 0 and 1",
            )
        if discount is not None:
            return Discounted(policy, discount)
        if window is not None:
            if window < len(self.arm_names):
                raise SuiteError(
                    f"router {router.label}: a window of {window} rewards is too short for the "
                    f"{len(self.arm_names)} models that there are",
                    "give it several rewards for each model",
                )
            return SlidingWindow(policy, window)
        if restart is not None:
            bounds = router.reward_range if isinstance(router, RangedRouter) else self.reward_range
            return Restarting(policy, restart, reward_range=bounds)
        return policy

    def _linear(self, router: LinUcbRouter | LinTsRouter) -> LinUCB | LinTS:
        if self.features is None:
            raise SuiteError(
                f"router {router.label} looks at features of tasks, and the suite names none",
                "say which with `features:`, for instance `features: {fields: [category]}`",
            )
        width = self.features.shape[1]
        if isinstance(router, LinUcbRouter):
            return LinUCB(width, alpha=router.alpha, ridge=router.ridge, shared=router.shared)
        return LinTS(width, scale=router.scale, ridge=router.ridge, shared=router.shared)

    def _expected_usd(self, router: BudgetedRouter) -> tuple[float, ...] | None:
        for model in router.expected_usd:
            arm_number(router, model, self.arm_names)
        if not router.expected_usd:
            return None
        return tuple(router.expected_usd.get(name, router.usd_per_task) for name in self.arm_names)

    def _expected(self, router: Router, prior: Prior) -> FloatArray:
        """Shape (n_arms,): the reward that the prior's scores promise; NaN where there is none."""
        expected = np.full(len(self.arm_names), np.nan)
        for model, score in prior.scores.items():
            expected[arm_number(router, model, self.arm_names)] = score
        for model in prior.usd_per_task:
            arm_number(router, model, self.arm_names)
        if self.reward.is_quality_alone:
            return expected
        missing = [model for model in prior.scores if self.reward.per_usd and model not in prior.usd_per_task]
        if missing or self.reward.per_second:
            what = f"no usd_per_task of {', '.join(missing)}" if missing else "nothing of latencies"
            raise SuiteError(
                f"router {router.label}: the suite's reward charges for more than quality, and the prior says {what}",
                "give the prior `usd_per_task` for each model with a score, and take per_second out of the reward",
            )
        cost = np.array([prior.usd_per_task.get(name, 0.0) for name in self.arm_names])
        return reward_values(self.reward, expected, cost, np.zeros(len(cost)))


def _ranged(router: Ucb1Router | UcbTunedRouter | KlUcbRouter | ImedRouter | Exp3Router) -> Policy[Any]:
    match router:
        case Ucb1Router():
            return UCB1(router.reward_range)
        case UcbTunedRouter():
            return UCBTuned(router.reward_range)
        case KlUcbRouter():
            return KLUCB(router.reward_range, router.c)
        case ImedRouter():
            return IMED(router.reward_range)
        case Exp3Router():
            return EXP3(router.reward_range)
        case _:
            assert_never(router)


def check_reward_range(router: Router, low: float, high: float) -> None:
    """
    Raises:
        SuiteError: the router's theory does not hold for rewards from `low` to `high`.
    """
    if isinstance(router, RANGED) and not router.reward_range[0] <= low <= high <= router.reward_range[1]:
        enough = f"[{math.floor(low * 10) / 10:g}, {math.ceil(high * 10) / 10:g}]"
        raise SuiteError(
            f"router {router.label}: rewards of this suite lie in [{low:g}, {high:g}], outside its reward_range "
            f"{list(router.reward_range)}, in which its bound holds",
            f"give the router `reward_range: {enough}`",
        )


def check_router(ground: Ground, router: Router) -> None:
    """
    Raises:
        SuiteError: the router does not fit.
    """
    if isinstance(router, CascadeRouter):
        for model in router.models:
            arm_number(router, model, ground.arm_names)
        return
    policy = ground.policy(router)
    ground.state(router, policy, np.arange(len(ground.arm_names))[None, :])


def arm_number(router: Router, model: str, arm_names: Sequence[str]) -> int:
    """
    Raises:
        SuiteError: the router names a model that the environment does not have.
    """
    if model not in arm_names:
        near = difflib.get_close_matches(model, arm_names, n=3, cutoff=0.4) or list(arm_names)[:5]
        raise SuiteError(
            f"router {router.label}: the environment has no model {model!r}", f"did you mean {', '.join(near)}?"
        )
    return arm_names.index(model)
