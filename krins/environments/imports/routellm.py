"""A clone of lm-sys/RouteLLM as rows: two models on GSM8K or MMLU, and with two commercial routers on MT-Bench.

    routellm/evals/gsm8k/gsm8k_responses.csv         prompt, MODEL, MODEL, MODEL_response, MODEL_response
    routellm/evals/mmlu/responses/mmlu_DOMAIN.csv    prompt, MODEL, MODEL
    routellm/evals/mt_bench/                         question.jsonl, judgements.jsonl: a score of 1 to 10 a turn
    benchmarks/mt-bench/gpt-4_single.jsonl           the same of the commercial routers
    routellm/evals/*/contaminated_prompts.jsonl      what was in the routers' training data

MT-Bench's quality is the mean over both turns, divided by 10. `contaminated` rows are kept and marked; upstream drops
them first (`exclude: {contaminated: [true]}` in a suite), as Ong et al., RouteLLM, 2024 (arXiv 2406.18665) do.
Invariants: tasks come in the files' order. Left out: costs and tokens, which nobody recorded.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

from krins.environments.imports.common import Row
from krins.environments.imports.json_stream import members
from krins.errors import TableError, boundary

Benchmark = Literal["gsm8k", "mmlu", "mt-bench"]
BENCHMARKS: tuple[Benchmark, ...] = get_args(Benchmark)
_ANSWERS = {"True": 1.0, "False": 0.0}
_RESPONSE = "_response"


def routellm_rows(clone: Path, benchmark: Benchmark, notes: Counter[str]) -> Iterator[Row]:
    """Rows of one of RouteLLM's benchmarks.

    Raises:
        TableError: the folder is no such clone, or a file in it is not what it should be; the message names the place.
    """
    evals = clone / "routellm" / "evals"
    if not evals.is_dir():
        raise TableError(f"{clone}: there is no routellm/evals in it", "give the folder of a clone of lm-sys/RouteLLM")
    folder = evals / benchmark.replace("-", "_")
    seen = {found["eval_prompt"] for _, found in members(folder / "contaminated_prompts.jsonl", "")}
    if benchmark == "mt-bench":
        rows = _judged(folder, clone, seen)
    elif benchmark == "gsm8k":
        rows = _answered(folder / "gsm8k_responses.csv", clone, "gsm8k_test", "math", seen)
    else:
        paths = sorted((folder / "responses").glob("mmlu_*.csv"))
        if not paths:
            raise TableError(f"{folder}: there is no responses/mmlu_DOMAIN.csv in it", "clone the repository again")
        domains = ((path, path.stem.removeprefix("mmlu_")) for path in paths)
        rows = chain.from_iterable(_answered(path, clone, domain, domain, seen) for path, domain in domains)
    for row in rows:
        notes["outcomes of prompts that upstream drops as contaminated, marked so"] += row["contaminated"]
        yield row


def _answered(path: Path, clone: Path, prefix: str, category: str, seen: set[str]) -> Iterator[Row]:
    """Rows of a CSV file with a column of True and False for each model; a task is called by its place in it."""
    source = path.relative_to(clone).as_posix()
    unreadable = boundary(
        TableError, f"{path}: cannot be read", "clone it again", catch=(OSError, ValueError, csv.Error)
    )
    with unreadable, path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        names = [name for name in reader.fieldnames or () if name != "prompt" and not name.endswith(_RESPONSE)]
        if "prompt" not in (reader.fieldnames or ()) or not names:
            raise TableError(f"{source}: its columns are not prompt and models", "clone the repository again")
        for i, line in enumerate(reader):
            for model in names:
                if line[model] not in _ANSWERS:
                    raise TableError(
                        f"{source}: row {i + 1}: {model} is {line[model]!r}, neither True nor False", "clone it again"
                    )
                yield {
                    "task_id": f"{prefix}_{i}",
                    "model": model,
                    "quality": _ANSWERS[line[model]],
                    "category": category,
                    "prompt": line["prompt"],
                    "contaminated": line["prompt"] in seen,
                    "source": f"{source}:{i + 1}",
                }


def _judged(folder: Path, clone: Path, seen: set[str]) -> Iterator[Row]:
    routers = clone / "benchmarks" / "mt-bench" / "gpt-4_single.jsonl"
    files = [folder / "judgements.jsonl", *([routers] if routers.is_file() else [])]
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    places: dict[str, str] = {}
    for path in files:
        source = path.relative_to(clone).as_posix()
        for number, (_, found) in enumerate(members(path, ""), start=1):
            scores[str(_field(found, "question_id", source, number))][_field(found, "model", source, number)].append(
                _field(found, "score", source, number)
            )
            places.setdefault(found["model"], source)
    for number, (_, question) in enumerate(members(folder / "question.jsonl", ""), start=1):
        turns = _field(question, "turns", "question.jsonl", number)
        task_id = str(_field(question, "question_id", "question.jsonl", number))
        for model, given in sorted(scores[task_id].items()):
            yield {
                "task_id": task_id,
                "model": model,
                "quality": sum(given) / len(given) / 10,
                "category": question.get("category"),
                "prompt": turns[0],
                "contaminated": any(turn in seen for turn in turns),
                "source": f"{places[model]}:question {task_id}",
            }


def _field(found: Any, name: str, source: str, number: int) -> Any:
    if not isinstance(found, dict) or name not in found:
        raise TableError(f"{source}: record {number} has no {name}", "clone the repository again")
    return found[name]
