"""A suite that is served decides as a suite that is run: same seed, same decisions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import krins
from krins.clock import FakeClock
from krins.environments.reading import read_table
from krins.runs.environments import recorded_setting
from krins.runs.plan import Stream
from krins.suite import RecordedEnvironment
from krins.suite_file import load_suite
from serve.interfaces import Feedback
from serve.learning.loading import from_suite
from tests.serve.learning_support import connected, open_learner

QUICKSTART = Path(__file__).parents[2] / "evals" / "quickstart.yaml"
SMALL = """
version: 1
name: parity
seed: 3
replications: 1
passes: 4
{floor}
environment: {{kind: recorded, table: table.csv}}
{reward}
features: {{fields: [category], length: true, words: 16}}
routers:
{routers}
"""


def _table(folder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {
            "task_id": f"t{task}",
            "model": arm,
            "sample": sample,
            "quality": float(rng.random() < 0.2 + 0.2 * number),
            "cost_usd": 0.001 * (number + 1) * rng.random(),
            "category": ["backend", "frontend"][task % 2],
            "prompt": f"Mend the {task}th of the functions {'and its tests ' * (task % 5)}",
        }
        for task in range(30)
        for number, arm in enumerate(("a", "b", "c", "d"))
        for sample in range(2)
    ]
    pd.DataFrame(rows).to_csv(folder / "table.csv", index=False)


def _suite(folder: Path, routers: Sequence[str], reward: str, floor: str = "") -> Path:
    _table(folder)
    path = folder / "suite.yaml"
    lines = "\n".join(f"  - {router}" for router in routers)
    path.write_text(SMALL.format(routers=lines, reward=reward, floor=floor))
    return path


def _run(path: Path, home: Path) -> dict[str, tuple[list[str], list[float | None]]]:
    """By label: the arms that `krins.run` chose, with what probability."""
    frame = krins.run(path, replications=1, home=home).decisions
    return {
        str(label): (list(part.sort_values("step")["model"]), list(part.sort_values("step")["probability"]))
        for label, part in frame.groupby("router")
    }


async def _serve(path: Path, label: str, folder: Path) -> tuple[list[str], list[float | None]]:
    """The same through one decider and one learner, in the run's order of tasks, feedback awaited."""
    suite = load_suite(path).model_copy(update={"replications": 1})
    assert isinstance(suite.environment, RecordedEnvironment)
    setting = recorded_setting(suite, read_table(suite.environment))
    table, plan = setting.table, setting.plan
    schedule = plan.schedule(Stream([router.label for router in suite.routers].index(label), 0, 1))
    clock = FakeClock(1e9)
    learner = open_learner(folder, clock)
    await learner.begin(from_suite(path, label), "suite", "test")
    [(decider, client)] = await connected(learner, clock)
    names = [arm.name for arm in table.arms]
    chosen: list[str] = []
    probabilities: list[float | None] = []
    for task, draw in zip(schedule.tasks[:, 0], schedule.draws[:, 0], strict=True):
        clock.advance(1.0)
        decided = decider.decide(table.tasks[task])
        chosen.append(decided.arm)
        probabilities.append(decided.probability)
        arm = names.index(decided.arm)
        cell = task, arm, draw % table.counts[task, arm]
        cost = Decimal(repr(float(table.cost_usd[cell])))
        [receipt] = await client.feedback([Feedback(decided.decision_id, float(table.quality[cell]), cost)])
        assert receipt.status == "applied"
    await client.close()
    await learner.close()
    return chosen, probabilities


@pytest.mark.parametrize(
    ("reward", "floor", "routers"),
    [
        ("reward: {quality: 1.0}", "", ["thompson", "epsilon-greedy", "linucb", "lints", "{policy: exp3}"]),
        (
            "reward: {quality: 1.0, per_usd: 20, floor: -0.1}",
            "",
            [
                "epsilon-greedy-decaying",
                "thompson",
                "{policy: ucb1, reward_range: [-0.1, 1.0]}",
                "{policy: linucb, shared: true}",
                "{policy: budgeted, usd_per_task: 0.002}",
                "{policy: quality-floor, reference: d}",
                "{policy: epsilon-greedy, window: 20}",
            ],
        ),
        ("reward: {quality: 1.0}", "exploration_floor: 0.1", ["thompson", "{policy: ucb1}", "random"]),
    ],
)
def test_a_served_suite_decides_as_the_run(tmp_path: Path, reward: str, floor: str, routers: Sequence[str]) -> None:
    path = _suite(tmp_path, routers, reward, floor)
    run = _run(path, tmp_path / "home")
    assert len(run) == len(routers)
    for number, (label, (arms, probabilities)) in enumerate(run.items()):
        served, told = asyncio.run(_serve(path, label, tmp_path / f"learning-{number}"))
        assert served == arms, label
        assert told == [None if p is None or np.isnan(p) else p for p in probabilities], label
        assert len(set(arms)) > 1


def test_the_quickstart_is_served_as_it_is_run(tmp_path: Path) -> None:
    run = _run(QUICKSTART, tmp_path / "home")
    for label in ("thompson", "ucb1(reward_range=(-0.1, 1.0))"):
        served, _ = asyncio.run(_serve(QUICKSTART, label, tmp_path / label[:4]))
        assert served == run[label][0], label
