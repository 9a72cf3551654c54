"""Do the off-policy estimators find the value of a policy that was never run, and do their intervals hold it?

    python experiments/off_policy.py [--logs 2000] [--decisions 2000] [--seed 0] [--world 3]

Nine arms, five context features; an outcome is 0 or 1 with a probability that is not linear in the features, while the
reward model is: it is wrong, and DM with it. The target is 95% greedy on that linear part. Three loggers with exact
propensities, of falling overlap: uniform; softmax on a model that knows nothing, mixed with 20% uniform; greedy on that
model with epsilon 0.1. Each log is drawn anew, contexts included. Coverage is how often the 95% interval holds the true
value (of 1,000,000 contexts), with its exact binomial 95% interval; `claimed` is the share of logs in which the
estimator claims it. A log that is refused counts for nothing but the refusals.

Required: coverage of 93% to 97% for IPS, SNIPS, DR and SNDR, with 2,000 decisions or more. Exit 1 if one is outside.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import click
import numpy as np
from scipy.stats import binomtest

from krins.errors import UserError
from krins.interfaces import FloatArray
from krins.statistics.off_policy import Estimate, all_estimates
from krins.statistics.overlap import Log
from krins.statistics.reward_model import cross_fitted_predictions

N_ARMS, N_FEATURES = 9, 5
LOGGERS = ("uniform", "softmax", "eps-greedy")
REQUIRED = ("IPS", "SNIPS", "DR", "SNDR")
ENOUGH_DECISIONS = 2000
THRESHOLD = 10.0


class World(NamedTuple):
    """Coefficients of each arm; `linear`, `twisted` and `wrong` have shape (n_arms, n_features)."""

    linear: FloatArray
    twisted: FloatArray
    wrong: FloatArray
    intercept: FloatArray

    def success(self, features: FloatArray) -> FloatArray:
        """Probability of outcome 1, shape (n, n_arms)."""
        twist = np.tanh(2 * features[:, :1] * features[:, 1:2])
        return np.asarray(1 / (1 + np.exp(-self._score(features) - twist * (features @ self.twisted.T))))

    def target(self, features: FloatArray) -> FloatArray:
        return _greedy(self._score(features), 0.05)

    def logger(self, name: str, features: FloatArray) -> FloatArray:
        score = features @ self.wrong.T
        if name == "uniform":
            return np.full(score.shape, 1 / N_ARMS)
        if name == "eps-greedy":
            return _greedy(score, 0.1)
        soft = np.exp(score - score.max(axis=1, keepdims=True))
        return np.asarray(0.8 * soft / soft.sum(axis=1, keepdims=True) + 0.2 / N_ARMS)

    def _score(self, features: FloatArray) -> FloatArray:
        return np.asarray(features @ self.linear.T + self.intercept)


def _greedy(score: FloatArray, epsilon: float) -> FloatArray:
    probabilities = np.full(score.shape, epsilon / N_ARMS)
    probabilities[np.arange(len(score)), score.argmax(axis=1)] += 1 - epsilon
    return probabilities


def make_world(seed: int) -> World:
    rng = np.random.default_rng(seed)
    linear, twisted = (rng.standard_normal((N_ARMS, N_FEATURES)) * 0.9 for _ in range(2))
    intercept = rng.uniform(-1.0, 0.6, N_ARMS)
    return World(linear, twisted, rng.standard_normal((N_ARMS, N_FEATURES)) * 0.9, intercept)


def estimates_of_a_log(world: World, logger: str, n: int, rng: np.random.Generator) -> tuple[Estimate, ...]:
    features = rng.standard_normal((n, N_FEATURES))
    logging, rows = world.logger(logger, features), np.arange(n)
    actions = (logging.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    outcomes = (rng.random(n) < world.success(features)[rows, actions]).astype(np.float64)
    log = Log(actions, logging[rows, actions], outcomes, rows)
    predictions = cross_fitted_predictions(log, N_ARMS, features)
    return all_estimates(log, world.target(features), predictions, rng, THRESHOLD)


def show(logger: str, n: int, truth: float, logs: list[tuple[Estimate, ...]], refused: int) -> bool:
    """Print a logger's rows; whether the coverage that is required was found."""
    click.echo(f"\n{logger}, {n} decisions: true value {truth:.4f}; {refused} of {len(logs) + refused} logs refused")
    header = f"{'estimator':<12}{'bias':>9}{'':>8}{'RMSE':>8}{'half-width':>12}{'ESS':>8}{'coverage':>10}"
    click.echo(header + f"{'exact 95%':>16}{'claimed':>9}")
    is_right = True
    for column in zip(*logs, strict=True):
        name = column[0].name
        errors = np.array([one.value for one in column]) - truth
        limits = [(one.low, one.high) for one in column if one.low is not None and one.high is not None]
        hits = sum(low <= truth <= high for low, high in limits)
        exact = binomtest(hits, len(column)).proportion_ci(0.95)
        half = np.mean([(high - low) / 2 for low, high in limits]) if limits else math.nan
        row = f"{name:<12}{errors.mean():+9.4f} ±{1.96 * errors.std(ddof=1) / math.sqrt(len(errors)):.4f}"
        row += f"{math.sqrt(np.mean(errors**2)):9.4f}{half:12.4f}"
        row += f"{np.mean([one.effective_sample_size for one in column]):8.1f}{hits / len(column):10.2%}"
        row += f"{exact.low:8.1%}-{exact.high:.1%}{np.mean([one.claims_coverage for one in column]):9.1%}"
        outside = name in REQUIRED and not 0.93 <= hits / len(column) <= 0.97
        click.echo(row + ("  OUTSIDE" if outside else ""))
        is_right = is_right and not (outside and n >= ENOUGH_DECISIONS)
    return is_right


@click.command(help=__doc__)
@click.option("--logs", default=2000, show_default=True, type=click.IntRange(min=2))
@click.option("--decisions", default=[2000], show_default=True, multiple=True, type=click.IntRange(min=2))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of the logs.")
@click.option("--world", "world_seed", default=3, show_default=True, type=click.IntRange(min=0), help="Its seed.")
def main(logs: int, decisions: tuple[int, ...], seed: int, world_seed: int) -> None:
    world = make_world(world_seed)
    contexts = np.random.default_rng(world_seed + 1).standard_normal((1_000_000, N_FEATURES))
    truth = float((world.target(contexts) * world.success(contexts)).sum(axis=1).mean())
    is_right = True
    for number, logger in enumerate(LOGGERS):
        for n in decisions:
            found: list[tuple[Estimate, ...]] = []
            for log in range(logs):
                try:
                    found.append(estimates_of_a_log(world, logger, n, np.random.default_rng([seed, number, n, log])))
                except UserError:
                    continue
            is_right = show(logger, n, truth, found, logs - len(found)) and is_right
    if not is_right:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
