"""A clone of OpenHands/openhands-index-results as rows: what an agent reached with each model on four benchmarks.

    results/MODEL/                                   the folder is the model: two metadata.json there say the same name
    results/MODEL/scores.json                        a run a benchmark: its date, agent version and runtime
    results/MODEL/instance_results/BENCHMARK.json    {INSTANCE: {"resolved": true | false | null, "cost": USD | null}}

Rules: an unknown outcome is no row; a cost of 0 is unknown (no model is free, so its calls were not counted); a run is
left out where more than a tenth of its outcomes are unknown, because those that are known are not a fair sample, or
where its instances took less than a minute each, because then it broke off. All of it is counted.
Invariants: rows come sorted by benchmark, instance and model. Left out: GAIA, which is no coding, other agents
(`alternative_agents/`), and prompts, tokens and latency of single instances, which the repository does not hold.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from krins.context.git import commit_name
from krins.environments.imports.common import Row
from krins.errors import ContextError, TableError, boundary


class _Benchmark(NamedTuple):
    category: str
    language: str


_BENCHMARKS = {
    "commit0": _Benchmark("library-from-scratch", "python"),
    "swe-bench": _Benchmark("bugfix", "python"),
    "swe-bench-multimodal": _Benchmark("bugfix-frontend (multimodal)", "javascript/typescript"),
    "swt-bench": _Benchmark("test-generation", "python"),
}
_MOST_UNKNOWN = 0.1
"""Share of a run's outcomes."""
_LEAST_SECONDS = 60
"""Mean time of an instance."""
_REMEDY = "give the folder of a clone of OpenHands/openhands-index-results"


def openhands_rows(clone: Path, notes: Counter[str]) -> Iterator[Row]:
    """Rows of all runs under `clone`/results.

    Raises:
        TableError: the folder is no such clone, or a file in it is not what it should be; the message names it.
    """
    results = clone / "results"
    folders = sorted(folder for folder in results.iterdir() if folder.is_dir()) if results.is_dir() else []
    if not any((folder / "scores.json").is_file() for folder in folders):
        raise TableError(f"{clone}: there is no results/MODEL/scores.json", _REMEDY)
    rows = [row for folder in folders for row in _model_rows(folder, clone, notes)]
    yield from sorted(rows, key=lambda row: (row["task_id"], row["model"]))


def commit_of(clone: Path) -> str | None:
    """The commit that is checked out; None where the folder is no repository or git is not there to ask."""
    try:
        return commit_name(clone, "HEAD") if (clone / ".git").exists() else None
    except ContextError:
        return None


def _model_rows(folder: Path, clone: Path, notes: Counter[str]) -> Iterator[Row]:
    runs = {run.get("benchmark"): run for run in _load(folder / "scores.json", list) if isinstance(run, dict)}
    files = sorted((folder / "instance_results").glob("*.json"))
    if not files:
        notes["models without results of single instances"] += 1
    for path in files:
        if path.stem in _BENCHMARKS:
            yield from _run_rows(path, clone, runs.get(path.stem, {}), notes)
        else:
            notes[f"runs left out: {path.stem} is none of {', '.join(_BENCHMARKS)}"] += 1


def _run_rows(path: Path, clone: Path, run: Mapping[str, Any], notes: Counter[str]) -> Iterator[Row]:
    instances = _object(path)
    source = path.relative_to(clone).as_posix()
    known = {name: found for name, found in instances.items() if _is_known(found, source, name)}
    if len(instances) - len(known) > _MOST_UNKNOWN * len(instances):
        notes["runs left out: most that is known of them would be a choice (over a tenth of outcomes unknown)"] += 1
        return
    if run.get("average_runtime", _LEAST_SECONDS) < _LEAST_SECONDS:
        notes[f"runs left out: they broke off (under {_LEAST_SECONDS} s an instance)"] += 1
        return
    notes["outcomes left out: unknown"] += len(instances) - len(known)
    notes["costs of 0 taken as unknown"] += sum(found.get("cost") == 0 for found in known.values())
    kind = _BENCHMARKS[path.stem]
    for name, found in known.items():
        yield {
            "task_id": f"{path.stem}/{name}",
            "model": path.parts[-3],
            "quality": float(found["resolved"]),
            "cost_usd": found.get("cost") or None,
            "repo": _repository(name),
            "category": kind.category,
            "language": kind.language,
            "date": run["submission_time"][:10] if "submission_time" in run else None,
            "scaffold": f"OpenHands {run['agent_version']}" if "agent_version" in run else None,
            "source": f"{source}:{name}",
        }


def _is_known(found: Any, source: str, name: str) -> bool:
    if not isinstance(found, dict) or found.get("resolved", 0) not in (True, False, None) or "resolved" not in found:
        raise TableError(f"{source}: {name}: {found!r} is no outcome", 'it is {"resolved": true, "cost": 0.12}')
    return found["resolved"] is not None


def _repository(instance: str) -> str:
    """`astropy/astropy` of astropy__astropy-12907; a library from scratch is its own."""
    owner, separator, rest = instance.partition("__")
    return f"{owner}/{rest.rpartition('-')[0]}" if separator else instance


def _object(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _load(path, dict)
    return found


def _load(path: Path, kind: type) -> Any:
    with boundary(TableError, f"{path}: cannot be read", _REMEDY, catch=(OSError, ValueError, RecursionError)):
        found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, kind):
        raise TableError(f"{path}: not what it should hold", _REMEDY)
    return found
