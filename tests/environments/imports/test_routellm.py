"""RouteLLM's benchmarks as outcome tables: synthetic files in its format, and the public ones where at hand."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from krins.environments.imports.common import Row, write_table
from krins.environments.imports.routellm import Benchmark, routellm_rows
from krins.errors import TableError
from tests.conftest import ROOT
from tests.support.tables import differing

OUTCOMES = ROOT.parent / "shared" / "data" / "outcomes"
CLONE = Path(os.environ.get("KRINS_ROUTELLM_CLONE", "RouteLLM"))
"""A clone at 0b64fdafe049, from which the tables were made."""


def rows(clone: Path, benchmark: Benchmark, notes: Counter[str] | None = None) -> list[Row]:
    return list(routellm_rows(clone, benchmark, Counter() if notes is None else notes))


def write(path: Path, *records: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records))


def test_answers_are_true_or_false(tmp_path: Path) -> None:
    folder = tmp_path / "routellm" / "evals" / "gsm8k"
    header = "prompt,org/weak,strong,org/weak_response,strong_response"
    write(folder / "gsm8k_responses.csv", header, '"One,\ntwo?",True,False,"a, ""b""",c', "Three?,False,True,,")
    write(folder / "contaminated_prompts.jsonl", {"eval_prompt": "Three?"})
    notes: Counter[str] = Counter()
    found = rows(tmp_path, "gsm8k", notes)
    assert [(row["task_id"], row["model"], row["quality"], row["prompt"], row["contaminated"]) for row in found] == [
        ("gsm8k_test_0", "org/weak", 1.0, "One,\ntwo?", False),
        ("gsm8k_test_0", "strong", 0.0, "One,\ntwo?", False),
        ("gsm8k_test_1", "org/weak", 0.0, "Three?", True),
        ("gsm8k_test_1", "strong", 1.0, "Three?", True),
    ]
    assert notes["outcomes of prompts that upstream drops as contaminated, marked so"] == 2


def test_domains_of_mmlu_are_categories(tmp_path: Path) -> None:
    folder = tmp_path / "routellm" / "evals" / "mmlu"
    write(folder / "contaminated_prompts.jsonl")
    for domain in ("virology", "anatomy"):
        write(folder / "responses" / f"mmlu_{domain}.csv", "prompt,a", "Q,True")
    found = rows(tmp_path, "mmlu")
    assert [(row["task_id"], row["category"]) for row in found] == [
        ("anatomy_0", "anatomy"),
        ("virology_0", "virology"),
    ]


def test_judged_turns_are_averaged(tmp_path: Path) -> None:
    folder = tmp_path / "routellm" / "evals" / "mt_bench"
    write(folder / "contaminated_prompts.jsonl", {"eval_prompt": "Second?"})
    write(folder / "question.jsonl", {"question_id": 81, "category": "writing", "turns": ["First?", "Second?"]})
    judged = [{"question_id": 81, "model": "a", "score": score} for score in (10, 9)]
    write(folder / "judgements.jsonl", *judged)
    other = {"question_id": 81, "model": "router", "score": 5}
    write(tmp_path / "benchmarks" / "mt-bench" / "gpt-4_single.jsonl", other)
    assert rows(tmp_path, "mt-bench") == [
        {
            "task_id": "81",
            "model": model,
            "quality": quality,
            "category": "writing",
            "prompt": "First?",
            "contaminated": True,
            "source": f"{source}:question 81",
        }
        for model, quality, source in (
            ("a", 0.95, "routellm/evals/mt_bench/judgements.jsonl"),
            ("router", 0.5, "benchmarks/mt-bench/gpt-4_single.jsonl"),
        )
    ]


def test_folders_and_files_that_are_something_else(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there is no routellm/evals in it"):
        rows(tmp_path, "gsm8k")
    folder = tmp_path / "routellm" / "evals" / "gsm8k"
    folder.mkdir(parents=True)
    with pytest.raises(TableError, match=r"contaminated_prompts\.jsonl: cannot be read"):
        rows(tmp_path, "gsm8k")
    write(folder / "contaminated_prompts.jsonl")
    write(folder / "gsm8k_responses.csv", "prompt,a", "Q,True", "R,maybe")
    with pytest.raises(TableError, match=r"gsm8k_responses\.csv: row 2: a is 'maybe', neither True nor False"):
        rows(tmp_path, "gsm8k")
    write(folder / "gsm8k_responses.csv", "question,a", "Q,True")
    with pytest.raises(TableError, match="its columns are not prompt and models"):
        rows(tmp_path, "gsm8k")
    write(tmp_path / "routellm" / "evals" / "mmlu" / "contaminated_prompts.jsonl")
    with pytest.raises(TableError, match="there is no responses/mmlu_DOMAIN"):
        rows(tmp_path, "mmlu")
    mt_bench = tmp_path / "routellm" / "evals" / "mt_bench"
    write(mt_bench / "contaminated_prompts.jsonl")
    write(mt_bench / "judgements.jsonl", {"question_id": 81, "model": "a"})
    with pytest.raises(TableError, match=r"judgements\.jsonl: record 1 has no score"):
        rows(tmp_path, "mt-bench")


@pytest.mark.skipif(not OUTCOMES.exists(), reason=f"needs RouteLLM's benchmarks as outcome tables in {OUTCOMES}")
@pytest.mark.skipif(not CLONE.is_dir(), reason="needs a clone of RouteLLM, named in KRINS_ROUTELLM_CLONE")
@pytest.mark.parametrize(("benchmark", "n_rows"), [("gsm8k", 2_638), ("mmlu", 28_084), ("mt-bench", 320)])
def test_the_public_files_give_the_tables_that_others_made_of_them(
    tmp_path: Path, benchmark: Benchmark, n_rows: int
) -> None:
    write_table(routellm_rows(CLONE, benchmark, Counter()), tmp_path / "a.parquet", Counter(), ("contaminated",))
    theirs = OUTCOMES / f"routellm_{benchmark.replace('-', '')}.parquet"
    columns = "task_id, model, quality, category, prompt, contaminated"
    assert differing(tmp_path / "a.parquet", theirs, columns) == (n_rows, n_rows, 0)
