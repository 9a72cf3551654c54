"""Loops of peers and bounds for `router_throughput.py`, run in whatever interpreter has the peer installed.

Reads lines "name rounds seed" from standard input, and answers each with the CPU seconds of one round: a choice and
what is learnt from it. Nothing but NumPy is imported before a loop needs it; krins is not needed at all.
"""

from __future__ import annotations

import math
import random
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

K, D = 9, 32
Choose, Learn = Callable[[Any], int], Callable[[Any, int, float], Any]
Loop = tuple[Choose, Learn]


def tasks(seed: int, rounds: int) -> tuple[list[Any], list[list[float]]]:
    """Features of unit length and the reward of every arm, for each round. Simulated."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((rounds, D))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rewards = rng.random((rounds, K)) < np.linspace(0.9, 0.1, K)
    return list(rows), rewards.astype(np.float64).tolist()


def seconds(loop: Loop, rounds: int, seed: int) -> float:
    choose, learn = loop
    rows, rewards = tasks(seed, rounds)
    start = time.process_time()
    for row, reward in zip(rows, rewards):  # noqa: B905
        arm = choose(row)
        learn(row, arm, reward[arm])
    return (time.process_time() - start) / rounds


def mabwiser(policy: str, seed: int) -> Loop:
    from mabwiser.mab import MAB, LearningPolicy

    policies = {
        "epsilon": LearningPolicy.EpsilonGreedy(epsilon=0.1),
        "ucb1": LearningPolicy.UCB1(alpha=1.0),
        "thompson": LearningPolicy.ThompsonSampling(),
        "linucb": LearningPolicy.LinUCB(alpha=1.0),
        "lints": LearningPolicy.LinTS(alpha=0.5),
    }
    mab = MAB(list(range(K)), policies[policy], seed=seed)
    if policy.startswith("lin"):
        mab.fit(list(range(K)), [0] * K, np.zeros((K, D)))
        return lambda x: mab.predict(x[None, :]), lambda x, a, r: mab.partial_fit([a], [r], x[None, :])
    mab.fit([0], [0])
    return lambda x: mab.predict(), lambda x, a, r: mab.partial_fit([a], [r])


def paretobandit(policy: str, seed: int) -> Loop:
    """Its production path on vectors that are given, without a prior."""
    import logging

    logging.disable(logging.WARNING)
    from pareto_bandit import BanditRouter
    from pareto_bandit.feature_service import FeatureService

    names = {f"m{a}": a for a in range(K)}
    registry = {name: {"model_id": name, "input_cost_per_m": 1.0, "output_cost_per_m": 1.0} for name in names}
    features = FeatureService.for_precomputed(D)
    router = BanditRouter.create(model_registry=registry, feature_service=features, priors="none")
    return lambda x: names[router.route(x)[0]], lambda x, a, r: router.update(f"m{a}", x, reward=r)


def gittins(policy: str, seed: int) -> Loop:
    """A hashed linear model in Rust with an exploration of its own."""
    import gittins

    state = gittins.create(bits=14, horizon=1e9)
    arms = [(f"m{a}", {"m": f"m{a}"}) for a in range(K)]
    keys = [f"x{i}" for i in range(D)]
    held: list[Any] = [None, 0.0]

    def choose(x: Any) -> int:
        held[1] += 1.0
        held[0] = gittins.decide(state, dict(zip(keys, x.tolist())), arms, held[1], "s")  # noqa: B905
        chosen: int = held[0].chosen
        return chosen

    return choose, lambda x, a, r: gittins.learn(state, held[0].decision_id, r, held[1])


def python(policy: str, seed: int) -> Loop:
    """Bound: the arithmetic alone on plain floats, without names, checks, probabilities or pending choices."""
    if policy == "thompson":
        return _thompson(seed)
    rnd = random.Random(seed)
    counts, means, clock = [0] * K, [0.0] * K, [0]

    def learn(x: Any, a: int, r: float) -> None:
        clock[0] += 1
        counts[a] += 1
        means[a] += (r - means[a]) / counts[a]

    def epsilon(x: Any) -> int:
        if clock[0] < K:
            return clock[0]
        return int(rnd.random() * K) if rnd.random() < 0.1 else means.index(max(means))

    def ucb1(x: Any) -> int:
        if clock[0] < K:
            return clock[0]
        width = 2.0 * math.log(clock[0])
        index = [mean + math.sqrt(width / count) for mean, count in zip(means, counts)]  # noqa: B905
        return index.index(max(index))

    return (ucb1 if policy == "ucb1" else epsilon), learn


def _thompson(seed: int) -> Loop:
    """Bound: the same for Thompson sampling, with an arm's draws used until it learns."""
    rng = np.random.default_rng(seed)
    alpha, beta, sizes = [1.0] * K, [1.0] * K, [1] * K
    draws: list[list[float]] = [[] for _ in range(K)]

    def choose(x: Any) -> int:
        if not all(draws):
            for a in range(K):
                if not draws[a]:
                    draws[a] = rng.beta(alpha[a], beta[a], sizes[a]).tolist()
                    sizes[a] = min(4 * sizes[a], 256)
        heads = [left.pop() for left in draws]
        return heads.index(max(heads))

    def learn(x: Any, a: int, r: float) -> None:
        alpha[a] += r
        beta[a] += 1.0 - r
        draws[a], sizes[a] = [], 1

    return choose, learn


def bare(policy: str, seed: int) -> Loop:
    """Bound: LinUCB and LinTS in NumPy, inverse and coefficients apart, nothing around them."""
    rng = np.random.default_rng(seed)
    inverse, theta = np.stack([np.eye(D)] * K), np.zeros((K, D))
    flat = inverse.reshape(K * D, D)

    def choose(x: Any) -> int:
        deviation = np.sqrt((flat @ x).reshape(K, D) @ x)
        if policy == "lints":
            deviation *= 0.5 * rng.standard_normal(K)
        return int((theta @ x + deviation).argmax())

    def learn(x: Any, a: int, r: float) -> None:
        spread = inverse[a] @ x
        growth = 1.0 + spread @ x
        theta[a] += spread * ((r - theta[a] @ x) / growth)
        inverse[a] -= np.outer(spread, spread / growth)

    return choose, learn


def compiled(policy: str, seed: int) -> Loop:
    """Bound: LinUCB and LinTS compiled, with one call from Python for a choice and one for learning."""
    import numba

    stochastic = policy == "lints"

    @numba.njit(fastmath=True)
    def pick(inverse: Any, theta: Any, x: Any) -> int:
        best, arg = -1e300, 0
        for a in range(theta.shape[0]):
            mean, variance = 0.0, 0.0
            for i in range(x.size):
                inner = 0.0
                for j in range(x.size):
                    inner += inverse[a, i, j] * x[j]
                variance += inner * x[i]
                mean += theta[a, i] * x[i]
            score = mean + math.sqrt(variance) * (0.5 * np.random.standard_normal() if stochastic else 1.0)
            if score > best:
                best, arg = score, a
        return arg

    @numba.njit(fastmath=True)
    def learn(inverse: Any, theta: Any, x: Any, a: int, r: float) -> None:
        spread = np.dot(inverse[a], x)
        growth = 1.0 + np.dot(spread, x)
        error = (r - np.dot(theta[a], x)) / growth
        for i in range(x.size):
            theta[a, i] += spread[i] * error
            for j in range(x.size):
                inverse[a, i, j] -= spread[i] * spread[j] / growth

    inverse, theta = np.stack([np.eye(D)] * K), np.zeros((K, D))
    learn(inverse, theta, np.zeros(D), 0, 0.0)
    pick(inverse, theta, np.zeros(D))
    return lambda x: pick(inverse, theta, x), lambda x, a, r: learn(inverse, theta, x, a, r)


LOOPS: dict[str, Callable[[str, int], Loop]] = {
    "mabwiser": mabwiser,
    "paretobandit": paretobandit,
    "gittins": gittins,
    "python": python,
    "bare": bare,
    "compiled": compiled,
}


def serve(loops: dict[str, Callable[[str, int], Loop]], others: dict[str, Callable[[int, int], float]]) -> None:
    """Answer lines from standard input until it ends. `others` measure themselves, given rounds and seed."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        name, rounds, seed = line.split()
        if name in others:
            found = others[name](int(rounds), int(seed))
        else:
            peer, policy = name.split(":")
            found = seconds(loops[peer](policy, int(seed)), int(rounds), int(seed))
        print(repr(found), flush=True)


if __name__ == "__main__":
    serve(LOOPS, {})
