"""Same suite and seed, same result, whatever the parallelism."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from krins.environments.reading import read_table
from krins.environments.recorded import Recorded
from krins.models.ledger import NOTHING
from krins.runs.environments import recorded_setting
from krins.runs.execution import Execution
from krins.runs.journal import JournalWriter
from krins.runs.live import Before, GroupCommit, OutcomeSource
from krins.runs.live_run import play_live
from krins.runs.progress import SILENT
from krins.runs.run import resume, run
from krins.runs.store import Store
from krins.runs.streams import Trajectory
from krins.suite import RecordedEnvironment
from krins.suite_file import load_suite
from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, same_numbers, write_suite, write_table

ROUTERS = ["epsilon-greedy", "epsilon-greedy-decaying", "thompson", "ucb1", "random", "fixed:model-1"]


@pytest.fixture
def recorded_suite(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    write_table(tmp_path / "table.parquet", rng.integers(0, 2, (30, 3)).astype(float), rng.random((30, 3)))
    return write_suite(tmp_path, {"kind": "recorded", "table": "table.parquet"}, ROUTERS, replications=150)


def test_a_recorded_run_is_the_same_on_actors(ray_cluster: None, recorded_suite: Path, tmp_path: Path) -> None:
    here = run(recorded_suite, home=tmp_path / "home", execution=Execution(workers=0))
    there = run(recorded_suite, home=tmp_path / "home", execution=Execution(workers=2))
    assert same_numbers(here) == same_numbers(there)
    assert here.decisions.equals(there.decisions)


def test_a_seed_decides_the_result(recorded_suite: Path, tmp_path: Path) -> None:
    first, again, other = (run(recorded_suite, seed=seed, home=tmp_path / "home") for seed in (0, 0, 1))
    assert same_numbers(first) == same_numbers(again)
    assert same_numbers(first)["routers"] != same_numbers(other)["routers"]


def test_a_live_run_is_the_same_on_actors(
    ray_cluster: None, start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    server = start_server()
    environment = live_environment(server.base_url, ["p-70", "p-30"], include={"difficulty": ["easy", "medium"]})
    suite = write_suite(tmp_path, environment, ["thompson", "epsilon-greedy", "fixed:p-70", "fixed:p-30"])
    here = run(suite, home=tmp_path / "home", execution=Execution(workers=0))
    there = run(suite, home=tmp_path / "another", execution=Execution(workers=2))
    assert same_numbers(here) == same_numbers(there)


def test_the_vectorised_way_and_the_environment_seam_agree(recorded_suite: Path, tmp_path: Path) -> None:
    """A recorded suite played through `Environment.attempt`, as a live one would be, makes the same decisions."""
    suite = load_suite(recorded_suite)
    assert isinstance(suite.environment, RecordedEnvironment)
    setting = recorded_setting(suite, read_table(suite.environment))
    environment = Recorded(setting.table)

    async def always() -> bool:
        return True

    async def play_all(journal: JournalWriter) -> list[Trajectory]:
        source = OutcomeSource(environment, GroupCommit(journal), Before(), 8, SILENT, always)
        return await play_live(setting.plan, source, lambda task_id, arm: NOTHING, SILENT)

    with JournalWriter(tmp_path / "journal.jsonl") as journal:
        trajectories = asyncio.run(play_all(journal))
    for trajectory in trajectories:
        np.testing.assert_array_equal(trajectory.arms, setting.player.play(trajectory.stream).arms)


def test_a_recorded_run_with_unjudged_outcomes_is_resumed_to_the_same_table(tmp_path: Path) -> None:
    """What infrastructure kept from being judged counts as the suite says, before and after the interruption."""
    table = write_table(tmp_path / "table.parquet", np.ones((6, 2)), np.ones((6, 2)))
    rows = pd.read_parquet(table)
    rows["failure"] = [None] * 11 + ["infrastructure"]
    rows.loc[11, "quality"] = None
    rows.to_parquet(table)
    environment = {"kind": "recorded", "table": "table.parquet", "missing": "fail"}
    suite = write_suite(tmp_path, environment, ["thompson", "random"], replications=3)
    whole = run(suite, home=tmp_path / "home", execution=Execution(workers=0))
    journal = (whole.folder / "journal.jsonl").read_text().splitlines(keepends=True)
    cut = Store(tmp_path / "cut")
    cut.folder(whole.run_id).mkdir(parents=True)
    cut.journal(whole.run_id).write_text("".join(journal[:2]))
    table.unlink()
    assert same_numbers(resume(whole.run_id, home=cut.home)) == same_numbers(whole)
