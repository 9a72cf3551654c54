"""The OpenHands index as an outcome table: synthetic files in its format, and the public one where it is at hand."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from krins.environments.imports.common import Row, write_table
from krins.environments.imports.openhands import commit_of, openhands_rows
from krins.errors import TableError
from tests.conftest import ROOT
from tests.support.tables import differing

TABLE = ROOT.parent / "shared" / "data" / "outcomes" / "openhands_index_coding.parquet"
CLONE = Path(os.environ.get("KRINS_OPENHANDS_CLONE", "openhands-index-results"))
COMMIT = "3015ac612e71"
"""From which the table was made."""


def write(clone: Path, model: str, benchmark: str, instances: Any, **run: Any) -> None:
    folder = clone / "results" / model
    (folder / "instance_results").mkdir(parents=True, exist_ok=True)
    scores = folder / "scores.json"
    runs = json.loads(scores.read_text()) if scores.exists() else []
    scores.write_text(json.dumps([*runs, {"benchmark": benchmark, **run}]))
    (folder / "instance_results" / f"{benchmark}.json").write_text(json.dumps(instances))


def rows(clone: Path, notes: Counter[str] | None = None) -> list[Row]:
    return list(openhands_rows(clone, Counter() if notes is None else notes))


def outcome(resolved: bool | None = True, cost: float | None = 0.5) -> dict[str, Any]:
    return {"resolved": resolved, "cost": cost}


def test_an_instance_is_a_task(tmp_path: Path) -> None:
    run = {"submission_time": "2026-05-16T17:12:48+00:00", "agent_version": "v1.22.1", "average_runtime": 751.0}
    write(tmp_path, "M", "swe-bench", {"psf__requests-1": outcome(), "a-b__c-d-22": outcome(False, 0.0)}, **run)
    write(tmp_path, "M", "commit0", {"jinja": outcome(True, None)})
    write(tmp_path, "M", "gaia", {"x": outcome()})
    notes: Counter[str] = Counter()
    found = rows(tmp_path, notes)
    assert found[2] == {
        "task_id": "swe-bench/psf__requests-1",
        "model": "M",
        "quality": 1.0,
        "cost_usd": 0.5,
        "repo": "psf/requests",
        "category": "bugfix",
        "language": "python",
        "date": "2026-05-16",
        "scaffold": "OpenHands v1.22.1",
        "source": "results/M/instance_results/swe-bench.json:psf__requests-1",
    }
    assert [(row["task_id"], row["repo"], row["quality"], row["cost_usd"]) for row in found[:2]] == [
        ("commit0/jinja", "jinja", 1.0, None),
        ("swe-bench/a-b__c-d-22", "a-b/c-d", 0.0, None),
    ]
    assert notes["costs of 0 taken as unknown"] == 1
    assert notes["runs left out: gaia is none of commit0, swe-bench, swe-bench-multimodal, swt-bench"] == 1


def test_unknown_outcomes_are_no_rows_and_too_many_are_no_run(tmp_path: Path) -> None:
    for model, n_unknown in (("few", 1), ("many", 2)):
        instances = {f"a__b-{i}": outcome(None if i < n_unknown else True) for i in range(10)}
        write(tmp_path, model, "swe-bench", instances)
    notes: Counter[str] = Counter()
    found = rows(tmp_path, notes)
    assert Counter(row["model"] for row in found) == {"few": 9}
    assert notes["outcomes left out: unknown"] == 1
    assert sum(n for what, n in notes.items() if "over a tenth of outcomes unknown" in what) == 1


def test_a_run_that_broke_off_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "M", "commit0", {"jinja": outcome()}, average_runtime=59)
    write(tmp_path, "N", "commit0", {"jinja": outcome()}, average_runtime=60)
    notes: Counter[str] = Counter()
    assert [row["model"] for row in rows(tmp_path, notes)] == ["N"]
    assert notes["runs left out: they broke off (under 60 s an instance)"] == 1


def test_folders_and_files_that_are_something_else(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there is no results/MODEL/scores"):
        rows(tmp_path)
    write(tmp_path, "M", "swe-bench", {"a__b-1": {"resolved": "yes"}})
    with pytest.raises(TableError, match=r"results/M/instance_results/swe-bench\.json: a__b-1: .* is no outcome"):
        rows(tmp_path)
    write(tmp_path, "M", "swe-bench", [1])
    with pytest.raises(TableError, match=r"swe-bench\.json: not what it should hold"):
        rows(tmp_path)
    for broken in ("[", "[" * 100_000):
        (tmp_path / "results/M/scores.json").write_text(broken)
        with pytest.raises(TableError, match=r"scores\.json: cannot be read"):
            rows(tmp_path)


@pytest.mark.skipif(not TABLE.exists(), reason=f"needs the OpenHands index as an outcome table at {TABLE}")
@pytest.mark.skipif(not CLONE.is_dir(), reason="needs a clone of the OpenHands index, named in KRINS_OPENHANDS_CLONE")
def test_the_public_index_gives_the_table_that_others_made_of_it(tmp_path: Path) -> None:
    assert (commit_of(CLONE) or COMMIT).startswith(COMMIT)
    write_table(openhands_rows(CLONE, Counter()), tmp_path / "a.parquet", Counter(), ("scaffold",))
    columns = "task_id, model, quality, cost_usd, repo, language, category, date, scaffold"
    assert differing(tmp_path / "a.parquet", TABLE, columns) == (34_416, 34_416, 0)
