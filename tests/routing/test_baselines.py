"""The baselines: what they choose, with which probability, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from krins.interfaces import Context
from krins.routing.baselines import FixedArm, UniformRandom

CONTEXT = Context(np.zeros((3, 4), np.int64))


def test_a_fixed_arm_is_always_chosen() -> None:
    policy = FixedArm(2)
    state = policy.init(4, 3)
    choice = policy.choose(state, CONTEXT, np.random.default_rng(0))
    assert choice.arms.tolist() == [2, 2, 2]
    assert choice.probabilities is not None
    assert choice.probabilities.tolist() == [1.0, 1.0, 1.0]
    assert policy.propensities(state, CONTEXT).tolist() == [[0.0, 0.0, 1.0, 0.0]] * 3


def test_a_fixed_arm_must_exist() -> None:
    with pytest.raises(ValueError, match="numbered from 0"):
        FixedArm(-1)
    with pytest.raises(ValueError, match="not among 4 arms"):
        FixedArm(4).init(4, 1)


def test_any_arm_is_as_likely_as_another() -> None:
    policy = UniformRandom()
    state = policy.init(4, 3)
    choice = policy.choose(state, CONTEXT, np.random.default_rng(0))
    assert choice.probabilities is not None
    assert choice.probabilities.tolist() == [0.25] * 3
    assert policy.propensities(state, CONTEXT).tolist() == [[0.25] * 4] * 3


def test_params_are_the_hyper_parameters() -> None:
    assert FixedArm(2).params == {"arm": 2}
    assert UniformRandom().params == {}
