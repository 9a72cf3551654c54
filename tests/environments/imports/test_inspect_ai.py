"""Logs of Inspect as outcome tables: logs that it wrote, and what can be wrong with them."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from krins.environments.imports.common import Row
from krins.environments.imports.inspect_ai import inspect_rows
from krins.environments.imports.inspect_files import read_log
from krins.errors import TableError

LOGS = Path(__file__).parent / "logs"
ZIPPED, PLAIN = LOGS / "sums_gpt-4.1-mini.eval", LOGS / "sums_gpt-4.1-nano.json"


def rows(*logs: Path, scorer: str | None = "grade", notes: Counter[str] | None = None) -> list[Row]:
    return list(inspect_rows(logs, scorer, Counter() if notes is None else notes))


def altered(folder: Path, **changes: Any) -> Path:
    """The plain log with `changes` to its first sample, which alone is kept."""
    log = json.loads(PLAIN.read_text())
    log["samples"] = [log["samples"][0] | changes]
    path = folder / "log.json"
    path.write_text(json.dumps(log))
    return path


def deflated(folder: Path, **entries: Any) -> Path:
    """The zipped log as older versions of Inspect compress it, with `entries` (by file name without .json) instead."""
    path = folder / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        names = {entry.filename for entry in zipfile.ZipFile(ZIPPED).infolist()}
        samples = {record.partition(":")[2]: sample for _, record, sample in read_log(ZIPPED)}
        header = next(header for header, _, _ in read_log(ZIPPED))
        contents = {f"samples/{name}": sample for name, sample in samples.items()} | {"header": header} | entries
        assert {f"samples/{name}.json" for name in samples} < names
        for name, content in contents.items():
            if content is not None:
                archive.writestr(f"{name}.json", json.dumps(content))
    return path


def test_a_sample_of_an_epoch_is_an_answer() -> None:
    notes: Counter[str] = Counter()
    found = rows(ZIPPED, notes=notes)
    assert {(row["task_id"], row["sample"]) for row in found} == {
        (f"sums/{name}", epoch) for name in ("add-1", "add-2", "mul-1", "mul-2") for epoch in (0, 1)
    }
    first = next(row for row in found if (row["task_id"], row["sample"]) == ("sums/add-2", 0))
    # It said "The sum is 42, I think.": partly right by `grade`. 12 tokens at $0.40 and 6 at $1.60 a million.
    assert first == {
        "task_id": "sums/add-2",
        "model": "openai/gpt-4.1-mini",
        "sample": 0,
        "quality": 0.5,
        "cost_usd": pytest.approx(12 * 0.40e-6 + 6 * 1.60e-6),
        "input_tokens": 12,
        "output_tokens": 6,
        "latency_s": 0.212,
        "failure": None,
        "category": "add",
        "repo": "arith/add",
        "language": "en",
        "prompt": "What is 12 + 30? Answer with the number only.",
        "date": "2026-11-27",
        "source": "sums_gpt-4.1-mini.eval:add-2_epoch_1",
    }
    assert notes["samples: costs are tokens at the list prices of genai-prices 0.2.3"] == 7


def test_an_error_is_no_wrong_answer() -> None:
    (broken,) = (row for row in rows(ZIPPED) if row["failure"])
    assert (broken["task_id"], broken["sample"], broken["failure"]) == ("sums/mul-2", 1, "infrastructure")
    assert broken["quality"] is None
    assert broken["cost_usd"] is None
    wrong = next(row for row in rows(ZIPPED) if (row["task_id"], row["sample"]) == ("sums/mul-2", 0))
    assert (wrong["quality"], wrong["failure"]) == (0.0, None)


def test_a_plain_log_and_a_deflated_one_say_the_same_as_a_zipped_one(tmp_path: Path) -> None:
    assert [{**row, "source": ""} for row in rows(deflated(tmp_path))] == [
        {**row, "source": ""} for row in rows(ZIPPED)
    ]
    assert {(row["task_id"], row["model"], row["quality"]) for row in rows(PLAIN)} == {
        ("sums/add-1", "openai/gpt-4.1-nano", 1.0),
        ("sums/add-2", "openai/gpt-4.1-nano", 0.5),
    }


def test_a_chunked_sample_keeps_its_metadata_beside_it(tmp_path: Path) -> None:
    sample = next(sample for _, record, sample in read_log(ZIPPED) if record.endswith(":add-1_epoch_1"))
    shell = {key: value for key, value in sample.items() if key not in ("metadata", "messages")}
    chunked = {
        "samples/add-1_epoch_1": None,
        "samples/add-1_epoch_1/sample": shell,
        "samples/add-1_epoch_1/metadata": sample["metadata"],
        "samples/add-1_epoch_1/messages/0": sample["messages"],
    }
    found = {row["source"]: row for row in rows(deflated(tmp_path, **chunked))}
    assert len(found) == 8
    assert found["log.eval:add-1_epoch_1"]["repo"] == "arith/add"


@pytest.mark.parametrize(
    ("value", "quality"),
    [("C", 1), ("I", 0), ("P", 0.5), ("N", 0), (True, 1), (False, 0), (0.25, 0.25), (1, 1), ("yes", 1), ("0.75", 0.75)],
)
def test_scores_are_numbers_as_inspect_reads_them(tmp_path: Path, value: Any, quality: float) -> None:
    (row,) = rows(altered(tmp_path, scores={"own": {"value": value}}), scorer=None)
    assert row["quality"] == quality


@pytest.mark.parametrize("value", [[1, 0], "maybe", 7, -1, float("inf")])
def test_a_score_that_is_no_quality_is_refused_with_its_sample(tmp_path: Path, value: Any) -> None:
    with pytest.raises(TableError, match=r"log\.json:add-1_epoch_1: the score own is "):
        rows(altered(tmp_path, scores={"own": {"value": value}}), scorer=None)


def test_a_score_in_a_dictionary_has_a_name_of_two_parts(tmp_path: Path) -> None:
    assert {row["quality"] for row in rows(PLAIN, scorer="style.exact")} == {1.0, 0.0}
    with pytest.raises(TableError, match=r"scored as match, grade, style\.exact, style\.short.*\n.*--scorer"):
        rows(PLAIN, scorer=None)
    with pytest.raises(TableError, match="there is no score style; it has match"):
        rows(PLAIN, scorer="style")


def test_what_was_not_scored_or_is_invalid_is_counted(tmp_path: Path) -> None:
    notes: Counter[str] = Counter()
    (row,) = rows(altered(tmp_path, scores={"own": {"value": float("nan")}}), scorer=None, notes=notes)
    assert row["quality"] is None
    (row,) = rows(altered(tmp_path, scores={}), scorer=None, notes=notes)
    assert row["quality"] is None
    assert rows(altered(tmp_path, invalidation={"author": "a"}), notes=notes) == []
    assert notes["samples could not be scored"] == notes["samples were not scored"] == 1
    assert notes["samples left out: they were declared invalid"] == 1


def test_costs_are_what_inspect_counted_else_list_prices_else_unknown(tmp_path: Path) -> None:
    usage = {"input_tokens": 100, "output_tokens": 10, "input_tokens_cache_read": 900, "total_tokens": 1010}
    name = "openai/gpt-4.1-mini"
    (row,) = rows(altered(tmp_path, model_usage={name: usage | {"total_cost": 0.25}}))
    assert (row["cost_usd"], row["input_tokens"], row["output_tokens"]) == (0.25, 1000, 10)
    (row,) = rows(altered(tmp_path, model_usage={name: usage}))
    assert row["cost_usd"] == pytest.approx(100 * 0.40e-6 + 900 * 0.10e-6 + 10 * 1.60e-6)
    notes: Counter[str] = Counter()
    (row,) = rows(altered(tmp_path, model_usage={name: usage, "vllm/mine": usage}), notes=notes)
    assert (row["cost_usd"], row["input_tokens"]) == (None, 2000)
    assert notes["samples: a model's price is not known to genai-prices 0.2.3"] == 1


def test_what_a_grader_used_is_not_the_answers(tmp_path: Path) -> None:
    answer, grader = ({"input_tokens": n, "output_tokens": n, "total_tokens": 2 * n} for n in (100, 30))
    both = {"input_tokens": 130, "output_tokens": 130, "total_tokens": 260}
    log = altered(tmp_path, model_usage={"openai/gpt-4.1-nano": both}, role_usage={"grader": grader})
    (row,) = rows(log)
    assert (row["input_tokens"], row["output_tokens"]) == (answer["input_tokens"], answer["output_tokens"])


def test_a_prompt_is_what_the_user_says(tmp_path: Path) -> None:
    said = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "image", "image": "x"}]},
        {"role": "user", "content": "attachment://a"},
    ]
    (row,) = rows(altered(tmp_path, input=said, attachments={"a": "it?"}))
    assert row["prompt"] == "What is\n\n\nit?"
    (row,) = rows(altered(tmp_path, input=said, attachments={}))
    assert row["prompt"] is None


def test_a_log_that_never_ended_is_read_and_said_so(tmp_path: Path) -> None:
    header = next(header for header, _, _ in read_log(ZIPPED))
    begun = {"header": None, "_journal/start": {"version": 2, "eval": header["eval"], "plan": {}}}
    notes: Counter[str] = Counter()
    assert len(rows(deflated(tmp_path, **begun), notes=notes)) == 8
    assert notes["logs of evaluations that did not end well (started)"] == 1


def test_several_frames_of_zstandard_are_one_entry(tmp_path: Path) -> None:
    """Inspect begins a new frame every 200 MiB."""
    codec = pa.Codec("zstd")
    text = json.dumps(next(iter(read_log(PLAIN)))[2]).encode()
    frames = b"".join(bytes(codec.compress(part, asbytes=True)) for part in (text[:500], text[500:]))
    with pa.CompressedInputStream(pa.BufferReader(frames), "zstd") as stream:
        assert stream.read() == text


def test_files_that_are_no_logs(tmp_path: Path) -> None:
    def refused(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(TableError) as caught:
            rows(path)
        assert name in str(caught.value)
        return str(caught.value)

    whole = ZIPPED.read_bytes()
    assert "cannot be read" in refused("cut.eval", whole[: len(whole) // 2])
    at = whole.index(b"\x28\xb5\x2f\xfd", 3000) + 40  # inside a frame
    assert "cannot be read" in refused("damaged.eval", whole[:at] + b"\0\0\0\0" + whole[at + 4 :])
    plain = PLAIN.read_bytes()
    assert "cut off, after 4 records" in refused("cut.json", plain[:-300])
    assert "no JSON" in refused("empty.json", b"")
    assert "does not say of which task" in refused("other.json", b'{"a": [1, 2]}')
    assert "end in .eval or .json" in refused("log.csv", b"a,b\n")
    for version, said in ((b"3", "its version is 3"), (b'"2"', "its version is '2'; krins reads")):
        assert said in refused("new.json", plain.replace(b'"version": 2', b'"version": ' + version, 1))
    other = tmp_path / "other.eval"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "a")
    assert "not a log of Inspect" in refused("other.eval", other.read_bytes())
    task = plain.replace(b'"task": "sums"', b'"task": 3', 1)
    assert "its task is 3, which is no text" in refused("task.json", task)
    assert "nested too deeply" in refused("deep.json", b'{"eval": ' + b"[" * 100_000)
    with pytest.raises(TableError, match="no such log"):
        rows(tmp_path / "none.eval")
    with pytest.raises(TableError, match="not a sample as Inspect writes it"):
        rows(altered(tmp_path, model_usage={"m": {"output_tokens": 1}}))
    with pytest.raises(TableError, match=r"log\.json:add-1_epoch_1: not a sample"):
        rows(altered(tmp_path, epoch="1"))
