"""Spend logs of a LiteLLM proxy as outcome tables: logs that it wrote, and what can be wrong with them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from krins.environments.imports.common import Row
from krins.environments.imports.litellm import litellm_rows
from krins.errors import TableError

LOG = Path(__file__).parent / "logs" / "spend_logs.json"
CALLS: list[dict[str, Any]] = json.loads(LOG.read_text())


def unplaced(found: list[Row]) -> list[dict[str, Any]]:
    return [{**row, "source": ""} for row in found]


def rows(
    log: Path = LOG, key: str = "task_id", qualities: Path | None = None, notes: Counter[str] | None = None
) -> list[Row]:
    return list(litellm_rows(log, key, qualities, Counter() if notes is None else notes))


def written(folder: Path, *calls: dict[str, Any]) -> Path:
    path = folder / "log.json"
    path.write_text(json.dumps(calls))
    return path


def call(**changes: Any) -> dict[str, Any]:
    return CALLS[0] | changes


def test_calls_of_a_session_are_an_answer() -> None:
    found = {(row["task_id"], row["model"], row["sample"]): row for row in rows()}
    agent = found["product", "large", 0]  # two calls of one session, 10 + 9 tokens in and 18 + 18 out
    assert (agent["input_tokens"], agent["output_tokens"]) == (19, 36)
    assert agent["cost_usd"] == pytest.approx(19 * 0.40e-6 + 36 * 1.60e-6)
    assert agent["prompt"] == "Think first. What is six times seven?"
    assert [key for key in found if key[:2] == ("sum", "small")] == [("sum", "small", 0), ("sum", "small", 1)]
    assert len(found) == 13


def test_answers_are_numbered_by_when_they_began_whatever_the_zone_that_their_times_are_in(tmp_path: Path) -> None:
    begun = {
        "first": "2026-11-28T00:30:00+02:00",
        "second": "2026-11-27T22:45:00",  # no zone: UTC
        "third": "2026-11-27 23:00:00+00",
        "fourth": "2026-11-27T23:00:00.5Z",
        "fifth": "2026-11-27T20:00:00-05:00",
    }
    calls = [
        call(request_id=name, session_id=name, startTime=text, endTime="2026-11-28T02:00:00Z")
        for name, text in reversed(begun.items())
    ]
    found = sorted(rows(written(tmp_path, *calls)), key=lambda row: row["sample"])
    assert [calls[int(row["source"].partition(":")[2]) - 1]["request_id"] for row in found] == list(begun)
    assert [row["date"] for row in found] == ["2026-11-27"] * 4 + ["2026-11-28"]
    assert found[0]["latency_s"] == 3.5 * 3600


def test_what_a_client_says_of_a_task_describes_it() -> None:
    row = next(row for row in rows() if row["task_id"] == "capital")
    assert (row["repo"], row["category"], row["provider"], row["date"]) == ("demo/c", "trivia", "openai", "2026-11-27")
    assert row["latency_s"] == pytest.approx(0.0075, abs=0.006)


def test_a_task_is_named_by_metadata_else_by_a_tag_else_by_its_messages_else_by_its_session(tmp_path: Path) -> None:
    plain = call(metadata={}, request_tags=[])
    log = written(
        tmp_path,
        call(request_id="a", session_id="1"),
        call(request_id="b", session_id="2", metadata={}, request_tags=["team:x", "task_id:tagged"]),
        plain | {"request_id": "c", "session_id": "3"},
        plain | {"request_id": "d", "session_id": "4"},
        plain | {"request_id": "e", "session_id": "5", "proxy_server_request": {}, "messages": {}},
    )
    notes: Counter[str] = Counter()
    found = Counter(row["task_id"] for row in rows(log, notes=notes))
    hashed = next(task for task in found if len(task) == 16)
    assert found == {"sum": 1, "tagged": 1, hashed: 2, "5": 1}
    assert notes["calls without task_id: their task is their messages, by hash"] == 2
    assert notes["calls without task_id or messages: their task is their session"] == 1
    assert {row["task_id"] for row in rows(log, key="team")} >= {"x"}


def test_a_spend_of_nothing_is_an_unknown_cost(tmp_path: Path) -> None:
    notes: Counter[str] = Counter()
    (unpriced,) = (row for row in rows(notes=notes) if row["model"] == "unpriced")
    assert (unpriced["cost_usd"], unpriced["input_tokens"]) == (None, 6)
    assert notes["calls: a spend of 0 taken as unknown (no price)"] == 1
    (cached,) = rows(written(tmp_path, call(spend=0.0, cache_hit="True")), notes=notes)
    assert cached["cost_usd"] is None
    assert notes["calls: a spend of 0 taken as unknown (answered by the cache)"] == 1


def test_failures(tmp_path: Path) -> None:
    (broken,) = (row for row in rows() if row["model"] == "broken")
    assert (broken["quality"], broken["cost_usd"], broken["failure"]) == (None, None, "infrastructure")
    failed = {"status": "failure", "spend": 0, "prompt_tokens": 0, "completion_tokens": 0, "request_id": "f"}
    # One that was tried again in the same session is an answer.
    (again,) = rows(written(tmp_path, call(**failed), call()))
    assert (again.get("failure"), again["input_tokens"]) == (None, 5)
    assert again["cost_usd"] == CALLS[0]["spend"]
    too_long = {"error_information": {"error_class": "ContextWindowExceededError"}}
    (row,) = rows(written(tmp_path, call(**failed, metadata=CALLS[0]["metadata"] | too_long)))
    assert (row["failure"], row["quality"]) == ("model", 0.0)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_qualities_come_from_another_file(tmp_path: Path, kind: str) -> None:
    import pandas as pd

    given = [{"request_id": one["request_id"], "quality": float(one["model_group"] == "large")} for one in CALLS]
    frame = pd.DataFrame([*given, {"request_id": "nobody's", "quality": 1.0}])
    path = tmp_path / f"qualities.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    notes: Counter[str] = Counter()
    found = rows(qualities=path, notes=notes)
    assert {(row["model"], row["quality"]) for row in found} == {
        *{("small", 0.0), ("large", 1.0), ("unpriced", 0.0), ("broken", None)}
    }
    assert notes["qualities fit no call"] == 1


def test_a_quality_of_a_session_or_of_a_task_and_model(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("session_id,quality\nagent-1,0.5\n")
    assert [row["quality"] for row in rows(qualities=path) if row["quality"] is not None] == [0.5]
    path.write_text("task_id,model,quality\nsum,large,1\nsum,small,\n")
    known = [(row["task_id"], row["model"], row["sample"]) for row in rows(qualities=path) if row["quality"] == 1]
    assert known == [("sum", "large", 0), ("sum", "large", 1)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("request_id,quality\na,1\na,0\n", "row 2: its request_id stands in an earlier row"),
        ("request_id,quality\na,1\nb,1.5\n", "row 2: quality is 1.5"),
        ("request_id,quality\na,good\n", "row 1: quality is good"),
        ("request_id,quality\na,nan\n", "row 1: quality is nan"),
        ("name,quality\na,1\n", "there are only the columns name, quality"),
        ("request_id, quality\na,1\n", "blanks around the name of its column ' quality'"),
        ('"request_id ";quality\na;1\n', "blanks around the name of its column 'request_id '"),
    ],
)
def test_qualities_that_cannot_be(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "q.csv"
    path.write_text(content)
    with pytest.raises(TableError, match=complaint):
        rows(qualities=path)


def test_an_export_of_the_table_says_the_same_as_the_api(tmp_path: Path) -> None:
    """As PostgreSQL writes it: JSON as text, moments with a space, null as nothing."""
    path = tmp_path / "log.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, CALLS[0])
        writer.writeheader()
        for one in CALLS:
            texts = {
                name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in one.items()
            }
            writer.writerow(texts | {"startTime": one["startTime"].replace("T", " "), "endTime": one["endTime"]})
    assert unplaced(rows(path)) == unplaced(rows())
    pages = tmp_path / "v2.json"
    pages.write_text(json.dumps({"data": CALLS, "total": len(CALLS), "page": 1}))
    lines = tmp_path / "log.jsonl"
    lines.write_text("\n".join(json.dumps(one) for one in CALLS))
    for same in (pages, lines):
        assert unplaced(rows(same)) == unplaced(rows())


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"spend": float("nan")}, r"log\.json:2: cannot be understood: spend is nan"),
        ({"spend": -1}, r"log\.json:2: cannot be understood: spend is -1"),
        ({"prompt_tokens": "many"}, r"log\.json:2: cannot be understood: could not convert"),
        ({"prompt_tokens": 10.9}, r"log\.json:2: .*prompt_tokens is 10.9, and is a whole number"),
        ({"completion_tokens": "10.9"}, r"log\.json:2: .*completion_tokens is 10.9, and is a whole number"),
        ({"prompt_tokens": True}, r"log\.json:2: .*prompt_tokens is True"),
        ({"prompt_tokens": -1}, r"log\.json:2: .*prompt_tokens is -1"),
        ({"prompt_tokens": 1e30}, r"log\.json:2: .*prompt_tokens is 1e\+30"),
        ({"model_group": 5}, r"log\.json:2: model is 5, which is no text"),
        ({"request_id": 7}, r"log\.json:2: request_id is 7, which is no text"),
        ({"startTime": "yesterday"}, r"log\.json:2: cannot be understood: Invalid isoformat"),
    ],
)
def test_a_call_that_cannot_be_is_named(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TableError, match=complaint):
        rows(written(tmp_path, call(), call(**changes)))


def test_files_that_are_no_spend_logs(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        rows(tmp_path / "none.json")
    path = tmp_path / "summary.json"
    path.write_text('[{"startTime": "2026-11-27", "spend": 0.1, "users": {}}]')
    with pytest.raises(
        TableError, match=r"summary\.json:1: no call of LiteLLM_SpendLogs: there is no request_id, model"
    ):
        rows(path)
    path.write_text(LOG.read_text()[:5000])
    with pytest.raises(TableError, match=r"cut off, after \d+ records"):
        rows(path)
