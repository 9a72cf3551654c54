"""From a suite's router entries to policies.

Invariant: a policy knows arms by number alone, so this is where names become numbers. Left out: how policies work.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from krins.errors import SuiteError
from krins.interfaces import Policy
from krins.router_specs import (
    DecayingEpsilonGreedyRouter,
    EpsilonGreedyRouter,
    FixedRouter,
    RandomRouter,
    Router,
    ThompsonRouter,
    Ucb1Router,
)
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1


def build_policy(spec: Router, arm_names: Sequence[str], is_binary: bool) -> Policy[Any]:
    """The policy that a router entry asks for. `is_binary`: every reward is known to be 0 or 1.

    Raises:
        SuiteError: the router names a model that the environment does not have, or a likelihood that does not fit.
    """
    match spec:
        case EpsilonGreedyRouter():
            return EpsilonGreedy(spec.epsilon)
        case DecayingEpsilonGreedyRouter():
            return DecayingEpsilonGreedy(spec.scale)
        case Ucb1Router():
            return UCB1(spec.reward_range)
        case ThompsonRouter():
            return _thompson(spec, is_binary)
        case FixedRouter():
            return FixedArm(arm_number(spec, spec.model, arm_names))
        case RandomRouter():
            return UniformRandom()
        case _:
            raise AssertionError(f"{spec.policy} is not built here")


def _thompson(spec: ThompsonRouter, is_binary: bool) -> ThompsonBeta | ThompsonNormal:
    if spec.likelihood == "bernoulli" and not is_binary:
        raise SuiteError(
            f"router {spec.label}: the bernoulli likelihood takes rewards of 0 and 1, this suite's are real numbers",
            "use `likelihood: normal`, or a reward of quality alone on outcomes of 0 and 1",
        )
    is_beta = is_binary if spec.likelihood == "auto" else spec.likelihood == "bernoulli"
    return ThompsonBeta() if is_beta else ThompsonNormal()


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
