"""The reward: what outcomes are worth to whoever runs a suite.

Invariant: one formula for tables, live outcomes and expectations. Left out: what is learnt from it.
"""

from __future__ import annotations

import numpy as np

from krins.interfaces import FloatArray
from krins.suite import Reward


def reward_values(reward: Reward, quality: FloatArray, cost_usd: FloatArray, latency_seconds: FloatArray) -> FloatArray:
    """Rewards of outcomes, all arguments of one shape; what the reward does not charge for may be unknown (NaN)."""
    total: FloatArray = reward.quality * quality
    for weight, values in ((reward.per_usd, cost_usd), (reward.per_second, latency_seconds)):
        if weight:
            total = total - weight * values
    return total if reward.floor is None else np.maximum(total, reward.floor)


def reward_of(reward: Reward, quality: float, cost_usd: float | None, latency_seconds: float | None) -> float:
    """What one outcome is worth; None is unknown.

    Raises:
        ValueError: the formula charges for something that is unknown.
    """
    for weight, value, what in (
        (reward.per_usd, cost_usd, "cost_usd"),
        (reward.per_second, latency_seconds, "latency_seconds"),
    ):
        if weight and value is None:
            raise ValueError(f"this router's reward charges for {what}, which is not given")
    cost, latency = (np.array(np.nan if value is None else value) for value in (cost_usd, latency_seconds))
    return float(reward_values(reward, np.array(quality), cost, latency))


def reward_range(reward: Reward) -> tuple[float, float]:
    """Least and greatest reward to be expected of an outcome, where nothing is known of costs: a task that was not
    solved at the cost of a solved one's whole worth, if no floor is stated."""
    least = 0.0 if reward.is_quality_alone else -reward.quality
    return (least if reward.floor is None else reward.floor), max(reward.quality, 1e-9)
