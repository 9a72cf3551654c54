"""How fast is one decision, next to other libraries and to the best bounds that we can write?

    python experiments/router_throughput.py --mabwiser-python VENV/bin/python --paretobandit-python VENV/bin/python \\
        --gittins-python VENV/bin/python --numba-python VENV/bin/python [--pairs 7] [--seed 1]

Interpreters with mabwiser==2.7.4, paretobandit==0.1.1, gittins==2.0.1 and numba; rows of those that are not given are
left out. Each side runs in a process of its own, one thread, CPU time, in turn: ours, theirs, ours, theirs. A ratio is
theirs over ours, above 1 where ours is faster: the median over the pairs, with the least and the greatest. Tasks and
rewards are simulated: 9 Bernoulli arms, 32 features of unit length.

(a) one decision and one reward a round through `Router`; the bound is the same arithmetic on plain Python floats.
(b) 1,000 replications of 2,000 rounds through `play`, and their regret; the peer, which is the bound too, is the same
    algorithm written as a bare NumPy loop over rounds that keeps the decisions and adds up the regret.
(c) contextual, through `Router`; bounds are a bare NumPy loop and, with numba, compiled choices and updates.

Exit 1 if a ratio is below what is required of it.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from router_throughput_peers import LOOPS, D, K, Loop, serve

from krins.interfaces import FloatArray, IntArray, Policy
from krins.routing.epsilon_greedy import EpsilonGreedy
from krins.routing.linear import LinTS, LinUCB
from krins.routing.play import Results, play
from krins.routing.router import Router
from krins.routing.thompson import ThompsonBeta
from krins.routing.ucb import UCB1

N_REPLICATIONS, HORIZON = 1000, 2000
POLICIES: dict[str, Policy[Any]] = {
    "epsilon": EpsilonGreedy(0.1),
    "ucb1": UCB1(),
    "thompson": ThompsonBeta(),
    "linucb": LinUCB(D),
    "lints": LinTS(D),
}


class Side(NamedTuple):
    """One of two that are compared."""

    interpreter: str
    name: str
    rounds: int


class Row(NamedTuple):
    """One comparison."""

    label: str
    ours: Side
    theirs: Side
    required: float | None


def routed(policy: str, seed: int) -> Loop:
    names = [f"m{arm}" for arm in range(K)]
    numbers = {name: number for number, name in enumerate(names)}
    router = Router(POLICIES[policy], names, seed)
    if router.n_features is None:
        return lambda x: numbers[router.decide().arm], lambda x, a, r: router.learn(names[a], r)
    return lambda x: numbers[router.decide(x).arm], lambda x, a, r: router.learn(names[a], r, features=x)


def played(policy: str) -> Callable[[int, int], float]:
    """CPU seconds of one round of `play`."""

    def run(rounds: int, seed: int) -> float:
        world, means, choices = _world(seed)
        replications = np.arange(N_REPLICATIONS)

        def results(first: int, arms: IntArray) -> Results:
            return Results((world.random(arms.shape) < means[replications, arms]).astype(np.float64))

        start = time.process_time()
        arms = play(POLICIES[policy], K, N_REPLICATIONS, rounds, results, choices).arms
        (means.max(axis=1, keepdims=True) - means)[replications, arms].sum(axis=0)
        return (time.process_time() - start) / rounds

    return run


def looped(policy: str) -> Callable[[int, int], float]:
    """CPU seconds of one round of the same algorithm, as one would write it for this simulation alone."""

    def run(rounds: int, seed: int) -> float:
        world, means, choices = _world(seed)
        rows, arms = np.arange(N_REPLICATIONS), np.empty((rounds, N_REPLICATIONS), np.int16)
        start = time.process_time()
        counts, sums = np.zeros((N_REPLICATIONS, K)), np.zeros((N_REPLICATIONS, K))
        gaps, regret = means.max(axis=1, keepdims=True) - means, np.zeros(N_REPLICATIONS)
        for t in range(rounds):
            chosen = _chosen(policy, t, counts, sums, choices)
            counts[rows, chosen] += 1
            sums[rows, chosen] += world.random(N_REPLICATIONS) < means[rows, chosen]
            arms[t] = chosen
            regret += gaps[rows, chosen]
        return (time.process_time() - start) / rounds

    return run


def _chosen(policy: str, t: int, counts: FloatArray, sums: FloatArray, rng: np.random.Generator) -> IntArray:
    if policy == "thompson":
        drawn: IntArray = rng.beta(1 + sums, 1 + counts - sums).argmax(axis=1)
        return drawn
    if t < K:
        return np.full(len(counts), t)
    if policy == "ucb1":
        return (sums / counts + np.sqrt(2 * math.log(t) / counts)).argmax(axis=1)
    chosen: IntArray = (sums / counts).argmax(axis=1)
    explored = rng.random(len(counts)) < 0.1
    chosen[explored] = rng.integers(K, size=int(explored.sum()))
    return chosen


def _world(seed: int) -> tuple[np.random.Generator, FloatArray, np.random.Generator]:
    world = np.random.default_rng([seed, 0])
    means = world.permuted(np.tile(np.linspace(0.9, 0.1, K), (N_REPLICATIONS, 1)), axis=1)
    return world, means, np.random.default_rng([seed, 1])


def compare(row: Row, pairs: int, seed: int) -> bool:
    """Print a row; whether it reaches what is required."""
    ours, theirs = [], []
    with _child(row.ours.interpreter) as left, _child(row.theirs.interpreter) as right:
        for pair in range(-1, pairs):
            found = [_ask(child, side, seed + pair + 1) for child, side in ((left, row.ours), (right, row.theirs))]
            # The first pair warms up.
            if pair >= 0:
                ours.append(found[0])
                theirs.append(found[1])
    ratios = sorted(their / our for our, their in zip(ours, theirs, strict=True))
    median = statistics.median(ratios)
    is_enough = row.required is None or median >= row.required
    spread = f"{median:8.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    verdict = "" if row.required is None else f"required {row.required:g}: {'reached' if is_enough else 'MISSED'}"
    times = f"{statistics.median(ours) * 1e6:10.2f} {statistics.median(theirs) * 1e6:10.2f}"
    click.echo(f"{row.label:<44}{times} {spread:<30}{verdict}".rstrip())
    return is_enough


def _child(interpreter: str) -> subprocess.Popen[str]:
    # Whoever has krins, and that is this interpreter, knows our loops as well.
    peers = str(Path(__file__).with_name("router_throughput_peers.py"))
    script = [__file__, "--serve"] if interpreter == sys.executable else [peers]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    command, environment = [interpreter, *script], {**os.environ, **threads}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _ask(child: subprocess.Popen[str], side: Side, seed: int) -> float:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{side.name} {side.rounds} {seed}\n")
    child.stdin.flush()
    answer = child.stdout.readline()
    if not answer:
        raise click.ClickException(f"{side.interpreter} could not run {side.name}")
    return float(answer)


def rows(peers: dict[str, str | None]) -> list[Row]:
    here, found = sys.executable, []
    for policy in ("epsilon", "ucb1", "thompson"):
        ours = Side(here, f"router:{policy}", 10_000)
        found.append(_row("(a)", policy, ours, peers["mabwiser"], "mabwiser", 1_000, 25.0))
        found.append(_row("(a)", policy, ours, here, "python", 10_000, None))
    for policy in ("epsilon", "ucb1", "thompson"):
        sides = Side(here, f"play:{policy}", HORIZON), Side(here, f"loop:{policy}", HORIZON)
        found.append(Row(f"(b) {policy}, play / bare NumPy (bound)", *sides, 0.8))
    for policy in ("linucb", "lints"):
        ours = Side(here, f"router:{policy}", 3_000)
        found.append(_row("(c)", policy, ours, peers["mabwiser"], "mabwiser", 150, 40.0))
        if policy == "linucb":
            found.append(_row("(c)", policy, ours, peers["paretobandit"], "paretobandit", 3_000, 8.0))
            found.append(_row("(c)", policy, ours, peers["gittins"], "gittins", 3_000, None))
        found.append(_row("(c)", policy, ours, here, "bare", 3_000, None))
        found.append(_row("(c)", policy, ours, peers["numba"], "compiled", 20_000, None))
    linear = Side(here, "router:lints", 3_000), Side(here, "router:linucb", 3_000)
    found.append(Row("(c) lints, ours / our linucb", *linear, 0.8))
    return [row for row in found if row is not None]


def _row(
    part: str, policy: str, ours: Side, interpreter: str | None, peer: str, rounds: int, required: float | None
) -> Row | None:
    if interpreter is None:
        return None
    bound = " (bound)" if peer in ("python", "bare", "compiled") else ""
    return Row(f"{part} {policy}, ours / {peer}{bound}", ours, Side(interpreter, f"{peer}:{policy}", rounds), required)


@click.command(help=__doc__)
@click.option("--mabwiser-python", type=click.Path(exists=True, dir_okay=False))
@click.option("--paretobandit-python", type=click.Path(exists=True, dir_okay=False))
@click.option("--gittins-python", type=click.Path(exists=True, dir_okay=False))
@click.option("--numba-python", type=click.Path(exists=True, dir_okay=False))
@click.option("--pairs", default=7, show_default=True, type=click.IntRange(min=5))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--serve", "is_child", is_flag=True, hidden=True)
def main(
    mabwiser_python: str | None,
    paretobandit_python: str | None,
    gittins_python: str | None,
    numba_python: str | None,
    pairs: int,
    seed: int,
    is_child: bool,
) -> None:
    if is_child:
        measured = {f"play:{policy}": played(policy) for policy in POLICIES}
        measured.update({f"loop:{policy}": looped(policy) for policy in POLICIES})
        serve({**LOOPS, "router": routed}, measured)
        return
    peers = {"mabwiser": mabwiser_python, "paretobandit": paretobandit_python}
    peers.update({"gittins": gittins_python, "numba": numba_python})
    click.echo(f"CPU microseconds a round, medians of {pairs} pairs; theirs / ours: median (least to greatest)")
    click.echo(f"{'':<44}{'ours':>10} {'theirs':>10} {'theirs / ours':>13}")
    reached = [compare(row, pairs, seed) for row in rows(peers)]
    if not all(reached):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
