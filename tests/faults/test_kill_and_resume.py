"""SIGKILL in the middle of a live run: `--resume` ends with the table of an undisturbed run.

A small version of `experiments/kill_and_resume.py`, which also kills Ray workers and whole process trees.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.kill_and_resume import N_ANSWERS, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_a_killed_driver_is_resumed_to_the_same_table(bench: Bench) -> None:
    for number, moment in enumerate((1, N_ANSWERS // 3, N_ANSWERS - 2)):
        trial = bench.trial("driver", moment, f"kill-{number}")
        assert trial.is_same_table
        assert trial.paid_twice <= trial.possible <= 4
