"""Every number of a run, made a second time by plain loops over the table, written apart from the code under test.

The loops share with krins only the drawn randomness: the schedule, and the stream of each router's generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from krins.interfaces import FloatArray
from krins.runs.execution import Execution
from krins.runs.plan import Plan, Schedule
from krins.runs.result import Figure, RouterResult, RunResult
from krins.runs.run import run
from krins.suite import Suite
from krins.suite_file import load_suite
from tests.support.suites import write_suite, write_table

N_TASKS, N_ARMS, N_SAMPLES, N_REPLICATIONS, PER_USD, FLOOR = 23, 4, 3, 7, 0.4, -0.5
ROUTERS = [
    {"policy": "epsilon-greedy", "epsilon": 0.3},
    {"policy": "epsilon-greedy-decaying", "scale": 1.5},
    {"policy": "ucb1", "reward_range": [-0.5, 1.0]},
    {"policy": "thompson", "likelihood": "normal"},
    "random",
    "fixed:model-2",
]

Choose = Callable[[list[float], list[int], int], int]


@pytest.fixture(scope="module")
def table() -> tuple[FloatArray, FloatArray]:
    """Quality and cost of shape (n_tasks, n_arms, n_samples); one runaway cost, so that the floor is reached."""
    rng = np.random.default_rng(11)
    skill = np.array([0.2, 0.4, 0.6, 0.8])[None, :, None]
    quality = np.clip(skill + rng.normal(0, 0.2, (N_TASKS, N_ARMS, N_SAMPLES)), 0, 1).round(3).astype(np.float64)
    cost = np.round(np.array([0.01, 0.05, 0.5, 0.6])[None, :, None] * rng.lognormal(size=quality.shape), 5)
    cost[4, 3, 1] = 40.0
    return quality, cost


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, table: tuple[FloatArray, FloatArray]) -> RunResult:
    folder = tmp_path_factory.mktemp("loop")
    write_table(folder / "table.parquet", *table)
    suite = write_suite(
        folder,
        {"kind": "recorded", "table": "table.parquet"},
        ROUTERS,
        replications=N_REPLICATIONS,
        passes=2,
        reward={"per_usd": PER_USD, "floor": FLOOR},
    )
    return run(suite, home=folder / "home", execution=Execution(workers=0))


@pytest.fixture(scope="module")
def suite(result: RunResult) -> Suite:
    return load_suite(result.folder.parents[2] / "suite.yaml")


def reward_of(quality: float, cost: float) -> float:
    return max(quality - PER_USD * cost, FLOOR)


def best_of(values: list[float]) -> int:
    return max(range(len(values)), key=lambda i: (values[i], -i))


def played(
    suite: Suite, router: int, table: tuple[FloatArray, FloatArray]
) -> tuple[Schedule, list[list[tuple[int, int, int]]]]:
    """Each replication's decisions as (task, arm, sample), by a loop over steps and replications."""
    quality, cost = table
    plan = Plan(suite, N_TASKS, N_ARMS)
    stream = next(s for s in plan.streams if s.router == router)
    schedule, rng = plan.schedule(stream), plan.generator(stream)
    sums = [[0.0] * N_ARMS for _ in range(N_REPLICATIONS)]
    squares = [[0.0] * N_ARMS for _ in range(N_REPLICATIONS)]
    counts = [[0] * N_ARMS for _ in range(N_REPLICATIONS)]
    decisions: list[list[tuple[int, int, int]]] = [[] for _ in range(N_REPLICATIONS)]
    for step in range(plan.n_steps):
        chosen = CHOOSERS[router](rng, sums, squares, counts, schedule)
        for r in range(N_REPLICATIONS):
            task, arm = int(schedule.tasks[step, r]), int(schedule.arms[r, chosen[r]])
            sample = int(schedule.draws[step, r]) % N_SAMPLES
            reward = reward_of(float(quality[task, arm, sample]), float(cost[task, arm, sample]))
            sums[r][chosen[r]] += reward
            squares[r][chosen[r]] += reward**2
            counts[r][chosen[r]] += 1
            decisions[r].append((task, arm, sample))
    return schedule, decisions


def untried(counts: list[int]) -> int | None:
    return counts.index(0) if 0 in counts else None


def epsilon_greedy(epsilon_at: Callable[[int], float]) -> Any:
    def choose(rng: np.random.Generator, sums: Any, squares: Any, counts: Any, schedule: Schedule) -> list[int]:
        arms = []
        for r, u in enumerate(rng.random(N_REPLICATIONS).tolist()):
            first = untried(counts[r])
            explore, epsilon = int(u * N_ARMS), epsilon_at(sum(counts[r]))
            greedy = best_of([s / n if n else -math.inf for s, n in zip(sums[r], counts[r], strict=True)])
            arms.append(first if first is not None else explore if u * N_ARMS - explore < epsilon else greedy)
        return arms

    return choose


def ucb1(rng: np.random.Generator, sums: Any, squares: Any, counts: Any, schedule: Schedule) -> list[int]:
    arms = []
    for s, n in zip(sums, counts, strict=True):
        first = untried(n)
        if first is None:
            t = sum(n)
            first = best_of([s[k] / n[k] + 1.5 * math.sqrt(2 * math.log(t) / n[k]) for k in range(N_ARMS)])
        arms.append(first)
    return arms


def thompson(rng: np.random.Generator, sums: Any, squares: Any, counts: Any, schedule: Schedule) -> list[int]:
    """Posterior of a Normal-inverse-gamma with mean .5, strength 1, shape 1, scale .25, from sums and squares."""
    strength = np.array(counts) + 1.0
    mean = (0.5 + np.array(sums)) / strength
    shape = 1.0 + np.array(counts) / 2
    scale = 0.25 + (np.array(squares) + 0.25 - strength * mean**2) / 2
    draws = mean + np.sqrt(scale / (shape * strength)) * rng.standard_t(2 * shape)
    return [best_of(row) for row in draws.tolist()]


def at_random(rng: np.random.Generator, sums: Any, squares: Any, counts: Any, schedule: Schedule) -> list[int]:
    return [int(arm) for arm in rng.integers(N_ARMS, size=N_REPLICATIONS)]


CHOOSERS = [
    epsilon_greedy(lambda t: 0.3),
    epsilon_greedy(lambda t: min(1.0, 1.5 * N_ARMS / max(t, 1))),
    ucb1,
    thompson,
    at_random,
    lambda rng, sums, squares, counts, schedule: [2] * N_REPLICATIONS,
]


def clustered(values: list[float]) -> tuple[float, float, float]:
    """Mean and 95% limits by CR2 and Bell-McCaffrey, from explicit matrices; task i is of repository i modulo 3."""
    x, n = np.array(values), len(values)
    centred = np.eye(n) - 1 / n
    scores, variance = [], 0.0
    for repository in range(3):
        members = [i for i in range(n) if i % 3 == repository]
        eigenvalues, basis = np.linalg.eigh(centred[np.ix_(members, members)])
        weights = basis @ np.diag(eigenvalues**-0.5) @ basis.T @ np.ones(len(members)) / n
        variance += float(weights @ (x - x.mean())[members]) ** 2
        scores.append(centred[:, members] @ weights)
    gram = np.array(scores) @ np.array(scores).T
    half = stats.t.ppf(0.975, np.trace(gram) ** 2 / np.trace(gram @ gram)) * math.sqrt(variance)
    return float(x.mean()), float(x.mean() - half), float(x.mean() + half)


def check(
    figure: Figure | None,
    per_task: list[float],
    replications: list[float],
    least: float = -math.inf,
    most: float = math.inf,
) -> None:
    assert figure is not None
    mean, low, high = clustered(per_task)
    expected = (mean, max(low, least), min(high, most), *np.quantile(replications, [0.025, 0.975]))
    got = (figure.mean, figure.low, figure.high, figure.replication_low, figure.replication_high)
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)


def average(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def mixing(cost_a: float, quality_a: float, cost_b: float, quality_b: float, cost: float) -> float:
    return quality_a + (cost - cost_a) / (cost_b - cost_a) * (quality_b - quality_a)


def hull_at(points: list[tuple[float, float]], cost: float) -> float | None:
    """Best quality of any two models mixed at this cost, by trying all pairs; None outside the hull."""
    cheapest, top = min(points), max(points, key=lambda p: (p[1], -p[0]))
    if not cheapest[0] <= cost <= top[0]:
        return None
    pairs = [(a, b) for a in points for b in points if a[0] < b[0] and a[0] <= cost <= b[0]]
    return max(mixing(*a, *b, cost) for a, b in pairs)


def hull_cost_at(points: list[tuple[float, float]], quality: float) -> float | None:
    """Least cost at which any two models mixed have this quality, by trying all pairs; None outside the hull."""
    cheapest, top = min(points), max(points, key=lambda p: (p[1], -p[0]))
    if not cheapest[1] <= quality <= top[1]:
        return None
    pairs = [(a, b) for a in points for b in points if a[1] < b[1] and a[1] <= quality <= b[1]]
    return min(a[0] + (quality - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) for a, b in pairs)


@pytest.mark.parametrize("router", range(len(ROUTERS)))
def test_every_number_of_a_row(
    result: RunResult, suite: Suite, table: tuple[FloatArray, FloatArray], router: int
) -> None:
    quality, cost = table
    _, decisions = played(suite, router, table)
    row: RouterResult = result.routers[router]
    frame = result.decisions.query("router == @row.router").sort_values(["replication", "step"])
    names = [(f"task-{task:04d}", f"model-{arm}", sample) for one in decisions for task, arm, sample in one]
    assert list(zip(frame["task_id"], frame["model"], frame["sample"], strict=True)) == names

    def per_task(value: Callable[[int, int, int], float]) -> list[float]:
        return [average([value(*d) for one in decisions for d in one if d[0] == task]) for task in range(N_TASKS)]

    def per_replication(value: Callable[[int, int, int], float]) -> list[float]:
        return [average([value(*d) for d in one]) for one in decisions]

    def quality_of(*cell: int) -> float:
        return float(quality[cell])

    def cost_of(*cell: int) -> float:
        return float(cost[cell])

    cells = range(N_SAMPLES)
    mean_quality = [[average([quality_of(t, a, s) for s in cells]) for a in range(N_ARMS)] for t in range(N_TASKS)]
    mean_cost = [[average([cost_of(t, a, s) for s in cells]) for a in range(N_ARMS)] for t in range(N_TASKS)]
    mean_reward = [
        [average([reward_of(quality_of(t, a, s), cost_of(t, a, s)) for s in cells]) for a in range(N_ARMS)]
        for t in range(N_TASKS)
    ]
    models = [(average([c[a] for c in mean_cost]), average([q[a] for q in mean_quality])) for a in range(N_ARMS)]
    best_single = best_of([q for _, q in models])
    best_fixed = best_of([average([r[a] for r in mean_reward]) for a in range(N_ARMS)])

    check(row.quality, per_task(quality_of), per_replication(quality_of), 0, 1)
    check(row.cost_usd, per_task(cost_of), per_replication(cost_of), 0)
    check(
        row.quality_difference_vs_best_single,
        [q - mean_quality[t][best_single] for t, q in enumerate(per_task(quality_of))],
        [q - models[best_single][1] for q in per_replication(quality_of)],
    )
    n_steps = 2 * N_TASKS
    for figure, gap in (
        (row.regret_vs_best_fixed, lambda t, a, s: mean_reward[t][best_fixed] - mean_reward[t][a]),
        (row.regret_vs_oracle, lambda t, a, s: max(mean_reward[t]) - mean_reward[t][a]),
    ):
        check(figure, [n_steps * g for g in per_task(gap)], [n_steps * g for g in per_replication(gap)])
    own_cost, own_quality = average(per_task(cost_of)), average(per_task(quality_of))
    base, costs = models[best_single][0], per_task(cost_of)
    check(
        row.saving_vs_best_single,
        [
            1 - own_cost / base - (c - own_cost) / base + own_cost * (mean_cost[t][best_single] - base) / base**2
            for t, c in enumerate(costs)
        ],
        [1 - c / base for c in per_replication(cost_of)],
    )

    def tokens_of(task: int, arm: int, sample: int) -> float:
        return 100.0 * (arm + 1) + 10.0 * (task + 1)

    check(row.tokens, per_task(tokens_of), per_replication(tokens_of), 0)
    expected = hull_at(models, own_cost)
    if expected is None:
        assert row.hull_quality_gain is None
    else:
        assert row.hull_quality_gain is not None
        assert row.hull_quality_gain.mean == pytest.approx(own_quality - expected)
    least = hull_cost_at(models, own_quality)
    if least is None:
        assert row.hull_cost_saving is None
    else:
        assert row.hull_cost_saving is not None
        assert row.hull_cost_saving.mean == pytest.approx(1 - own_cost / least)
    running = [average([sum(mean_reward[t][best_fixed] - mean_reward[t][a] for t, a, _ in one)]) for one in decisions]
    assert row.curve.regret is not None
    assert row.curve.regret[-1] == pytest.approx(average(running))


def test_baselines(result: RunResult, table: tuple[FloatArray, FloatArray]) -> None:
    quality, cost = table
    baselines = result.baselines
    assert baselines is not None
    reward = np.maximum(quality - PER_USD * cost, FLOOR).mean(axis=2)
    assert baselines.oracle.reward == pytest.approx(average([max(row) for row in reward.tolist()]))
    assert baselines.random.quality.mean == pytest.approx(quality.mean())
    expected = []
    for q, c in zip(quality.mean(axis=2).tolist(), cost.mean(axis=2).tolist(), strict=True):
        expected.append(min(c[a] for a in range(N_ARMS) if q[a] == max(q)))
    assert baselines.cheapest_correct is not None
    assert baselines.cheapest_correct.cost_usd is not None
    assert baselines.cheapest_correct.cost_usd.mean == pytest.approx(average(expected))
