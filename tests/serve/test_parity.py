"""A suite that is served decides as a suite that is run: same seed, same decisions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import aiohttp
import numpy as np
import pandas as pd
import pytest

import krins
from krins.clock import FakeClock
from krins.domain import Task
from krins.environments.reading import read_table
from krins.runs.environments import recorded_setting
from krins.runs.plan import Stream
from krins.suite import RecordedEnvironment
from krins.suite_file import load_suite
from serve.interfaces import Feedback
from serve.learning.loading import from_suite
from serve.settings import ServiceArgs
from tests.serve.conftest import RunningService, add_key, configuration, free_port, wait_until_ready
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


class Made(NamedTuple):
    decision_id: str
    arm: str
    probability: float | None


Decide = Callable[[Task], Awaitable[Made]]
FeedBack = Callable[[str, float, Decimal], Awaitable[str]]
"""From the decision's id, quality and cost in USD to the receipt's status."""


async def _replayed(path: Path, label: str, decide: Decide, feed_back: FeedBack) -> list[Made]:
    """What is decided of the tasks of a run in its order, one after another, feedback awaited."""
    suite = load_suite(path).model_copy(update={"replications": 1})
    assert isinstance(suite.environment, RecordedEnvironment)
    setting = recorded_setting(suite, read_table(suite.environment))
    table, plan = setting.table, setting.plan
    schedule = plan.schedule(Stream([router.label for router in suite.routers].index(label), 0, 1))
    names = [arm.name for arm in table.arms]
    decisions = []
    for task, draw in zip(schedule.tasks[:, 0], schedule.draws[:, 0], strict=True):
        decisions.append(made := await decide(table.tasks[task]))
        arm = names.index(made.arm)
        cell = task, arm, draw % table.counts[task, arm]
        cost = Decimal(repr(float(table.cost_usd[cell])))
        assert await feed_back(made.decision_id, float(table.quality[cell]), cost) == "applied"
    return decisions


async def _serve(path: Path, label: str, folder: Path) -> tuple[list[str], list[float | None]]:
    """Through one decider and one learner."""
    clock = FakeClock(1e9)
    learner = open_learner(folder, clock)
    await learner.begin(from_suite(path, label), "suite", "test")
    [(decider, client)] = await connected(learner, clock)

    async def decide(task: Task) -> Made:
        clock.advance(1.0)
        decided = decider.decide(task)
        return Made(decided.decision_id, decided.arm, decided.probability)

    async def feed_back(decision_id: str, quality: float, cost_usd: Decimal) -> str:
        [receipt] = await client.feedback([Feedback(decision_id, quality, cost_usd)])
        return receipt.status

    decisions = await _replayed(path, label, decide, feed_back)
    await client.close()
    await learner.close()
    return [made.arm for made in decisions], [made.probability for made in decisions]


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


@contextmanager
def _deployed(home: Path, label: str, beside: RunningService) -> Iterator[str]:
    """The URL of another service of one replica, on the Ray of the first."""
    from ray import serve

    from serve.app import build

    content = configuration(home, free_port(), beside.provider.url, replicas=1, exploration_floor=0.0)
    args = ServiceArgs.model_validate(content["applications"][0]["args"] | {"router": f"suite:{QUICKSTART}#{label}"})
    serve.run(build(args), name=home.name, route_prefix=None)
    try:
        url = f"http://127.0.0.1:{args.port}"
        wait_until_ready(url, beside.process, beside.log)
        yield url
    finally:
        serve.delete(home.name)


# Of Ray's own models, when ray.serve is first imported.
@pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`:DeprecationWarning")
@pytest.mark.parametrize("label", ["thompson", "ucb1(reward_range=(-0.1, 1.0))"])
def test_the_quickstart_is_decided_over_http_as_it_is_run(label: str, service: RunningService, tmp_path: Path) -> None:
    home = tmp_path / f"parity-{label[:4]}"
    headers = {"authorization": f"Bearer {add_key(home, 'infer', '--scope', 'feedback')}"}

    async def serve(url: str) -> list[str]:
        async with aiohttp.ClientSession(url, headers=headers, raise_for_status=True) as session:

            async def decide(task: Task) -> Made:
                asked = {"prompt": task.prompt, "category": task.category, "language": task.language}
                async with session.post("/v1/route", json=asked) as answer:
                    told = await answer.json()
                return Made(told["decision_id"], told["model"], told["propensity"])

            async def feed_back(decision_id: str, quality: float, cost_usd: Decimal) -> str:
                said = {"decision_id": decision_id, "quality": quality, "cost_usd": str(cost_usd)}
                async with session.post("/v1/feedback", json=said) as answer:
                    return str((await answer.json())["status"])

            return [made.arm for made in await _replayed(QUICKSTART, label, decide, feed_back)]

    with _deployed(home, label, service) as url:
        served = asyncio.run(serve(url))
    run, _ = _run(QUICKSTART, tmp_path / "run")[label]
    assert served == run
    assert len(set(run)) > 1
