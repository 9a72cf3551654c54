"""How fast is the code index: cold, from its cache, after a change; and how much memory does it take?

    python experiments/index_speed.py ROOT [--aider-python VENV/bin/python] [--rounds 3] [--changes 20] [--seed 1]

ROOT is a git repository; its head is checked out into a temporary folder. Every measurement is a process of its own,
timed inside without its start-up, wall clock and CPU of it and its workers. All take turns in each round; a ratio is of
two of one round: the median over the rounds, with the least and the greatest.

(a) Cold, without a cache, in one process and in as many as there are processors, against the bare tree-sitter parse of
    the same files in one process, and against aider's repo map of the same files (aider-chat==0.86.2 with its own
    grammars, its tags cache empty, a stub of a tokenizer that costs nothing): the scan for tags alone, and scan, graph,
    PageRank and rendering of 1,024 tokens. With edges, and without.
(b) From a full cache, against the cold index.
(c) In a running process, after one changed file, each time another: listing, reading, parsing and the graph's arrays;
    and the edges as well. `comment`: nothing that other files see changes; `function`: a function is added, so that
    the edges of all files are resolved again.
(d) Peak of resident memory of (a). Linux only.

Exit 1 if the cold index is not at least 5 times as fast as the repo map (wall clock), a re-index after a comment takes
100 ms or more (median, arrays), or memory reaches 1 GB.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from krins.context.graph import CodeGraph
from krins.context.index import CodeIndex
from krins.context.tree import WorkTree

AIDER = """
import json, os, sys, tempfile, time
from aider import repomap
from aider.repomap import RepoMap

class Silent:
    def tool_output(self, *arguments): pass
    tool_warning = tool_error = tool_output
    def read_text(self, name):
        with open(name, encoding="utf-8") as file:
            return file.read()

class Model:
    def token_count(self, text):
        return len(text) // 4

class NoBar:
    def __new__(cls, iterable, **options):
        return iterable

repomap.tqdm = NoBar
root, files = json.load(sys.stdin)
names = [os.path.join(root, file) for file in files]
with tempfile.TemporaryDirectory() as cache:
    RepoMap.TAGS_CACHE_DIR = cache
    repo_map = RepoMap(map_tokens=1024, root=root, main_model=Model(), io=Silent())
    wall, cpu = time.perf_counter(), time.process_time()
    if sys.argv[1] == "tags":
        n_tags = sum(len(repo_map.get_tags(name, repo_map.get_rel_fname(name))) for name in names)
        assert n_tags
    else:
        assert repo_map.get_repo_map([], names)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"wall": wall, "cpu": cpu}))
"""
Measured = dict[str, float]


def timed(work: Callable[[], object]) -> Measured:
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    work()
    return {"wall": time.perf_counter() - wall, "cpu": sum(os.times()[:4]) - cpu}


def with_edges(graph: CodeGraph) -> object:
    return graph.mentions, graph.imports, graph.calls


def cold(root: Path, workers: int | None) -> Measured:
    index = CodeIndex(WorkTree(root), workers=workers)
    arrays = timed(index.update)
    edges = timed(lambda: with_edges(index.update()))
    measured = {"arrays wall": arrays["wall"], "arrays cpu": arrays["cpu"]}
    measured |= {key: arrays[key] + edges[key] for key in arrays}
    # What getrusage says of a process begins at what its parent had, so for workers it is a bound from above.
    status = Path("/proc/self/status").read_text()
    measured["mb"] = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
    measured["worker mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return measured


def bare(root: Path) -> Measured:
    from tree_sitter import Parser

    from krins.context.languages import GRAMMARS, language_of

    tree = WorkTree(root)
    sources = [(GRAMMARS[language_of(path) or ""].language, tree.read(path)) for path in CodeIndex(tree).update().paths]
    return timed(lambda: [Parser(language).parse(source) for language, source in sources])


def fill(root: Path, cache: Path) -> Measured:
    index = CodeIndex(WorkTree(root), cache)
    n_files = index.update().n_files
    index.save()
    n_bytes = sum(entry.size for entry in WorkTree(root).list().entries.values())
    return {"files": n_files, "mb": n_bytes / 1e6, "cache mb": cache.stat().st_size / 1e6}


def warm(root: Path, cache: Path) -> Measured:
    index = CodeIndex(WorkTree(root), cache)
    return timed(index.update)


def changes(root: Path, number: int, seed: int) -> dict[str, list[Measured]]:
    """Milliseconds of the arrays, and of the edges after them, by kind of change."""
    index = CodeIndex(WorkTree(root))
    files = [path for path in index.update().paths if path.endswith(".py")]
    with_edges(index.update())
    time.sleep(2.5)  # a file that was written just now is read again at every listing
    index.update()
    rng = random.Random(seed)
    found: dict[str, list[Measured]] = {}
    for kind, text in {"comment": "# changed\n", "function": "\n\ndef added_here():\n    pass\n"}.items():
        found[kind] = []
        for path in rng.sample(files, number):
            with (root / path).open("a") as file:
                file.write(text)
            parts = {"arrays": timed(index.update), "edges": timed(lambda: with_edges(index.update()))}
            found[kind].append({f"{part} {key}": 1000 * one[key] for part, one in parts.items() for key in one})
    return found


MEASURED: dict[str, Callable[..., Any]] = {
    "all": lambda root, cache, n, seed: cold(root, None),
    "one": lambda root, cache, n, seed: cold(root, 1),
    "bare": lambda root, cache, n, seed: bare(root),
    "fill": lambda root, cache, n, seed: fill(root, cache),
    "warm": lambda root, cache, n, seed: warm(root, cache),
    "changes": lambda root, cache, n, seed: changes(root, n, seed),
}
ROWS = {
    "aider's repo map / index with edges": (("map", ""), ("all", "")),
    "aider's repo map / index": (("map", ""), ("all", "arrays ")),
    "aider's repo map / index with edges, one process": (("map", ""), ("one", "")),
    "aider's tags / index": (("tags", ""), ("all", "arrays ")),
    "aider's tags / index, one process": (("tags", ""), ("one", "arrays ")),
    "index / bare parse": (("all", "arrays "), ("bare", "")),
    "index, one process / bare parse": (("one", "arrays "), ("bare", "")),
    "index / index from a full cache": (("all", "arrays "), ("warm", "")),
}
"""What is divided by what: a side, and which part of it."""


class Sides:
    """Runs measurements of either side, each in a process of its own."""

    def __init__(self, root: Path, options: Sequence[str], aider_python: str | None) -> None:
        self._ours = [sys.executable, __file__, str(root), *options, "--child"]
        self._aider_python = aider_python
        self._files = json.dumps([str(root), list(WorkTree(root).list().entries)])

    def run(self, side: str) -> Any:
        if side in MEASURED:
            command, asked = [*self._ours, side], ""
        else:
            assert self._aider_python is not None
            command, asked = [self._aider_python, "-c", AIDER, side], self._files
        answer = subprocess.run(command, input=asked, check=True, stdout=subprocess.PIPE, text=True).stdout
        measured = json.loads(answer.splitlines()[-1])
        click.echo(f"{side}: {measured}", err=True)
        return measured

    def rounds(self, number: int) -> list[dict[str, Measured]]:
        sides = ["all", "bare", "warm", "one"]
        if self._aider_python is not None:
            sides[1:1] = ["map", "tags"]
        return [{side: self.run(side) for side in sides} for _ in range(number)]


def report_ratios(rounds: Sequence[Mapping[str, Measured]]) -> float:
    """Print the table; how many times as long the repo map takes as the index with edges, if it was run."""
    click.echo(f"{'median (least-greatest)':<52}{'wall clock':>20}{'CPU':>20}")
    medians = {}
    for label, ((upper, upper_part), (lower, lower_part)) in ROWS.items():
        if upper in rounds[0]:
            wall, cpu = (
                [one[upper][upper_part + kind] / one[lower][lower_part + kind] for one in rounds]
                for kind in ("wall", "cpu")
            )
            click.echo(f"{label:<52}{spread(wall, 2):>20}{spread(cpu, 2):>20}")
            medians[label] = statistics.median(wall)
    return medians.get("aider's repo map / index with edges", math.inf)


def report_changes(found: Mapping[str, Sequence[Measured]]) -> float:
    """Print the table; the median wall clock of arrays after a comment."""
    click.echo(f"\nre-index after one changed file, ms: median (least-greatest) of {len(found['comment'])}")
    columns = ("arrays wall", "arrays cpu", "edges wall", "edges cpu")
    click.echo(f"{'':<12}" + "".join(f"{column:>24}" for column in columns))
    for kind, rows in found.items():
        click.echo(f"{kind:<12}" + "".join(f"{spread([row[column] for row in rows], 0):>24}" for column in columns))
    return statistics.median(row["arrays wall"] for row in found["comment"])


def spread(values: Sequence[float], digits: int) -> str:
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}-{high})"


@click.command()
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--aider-python", type=click.Path(exists=True, dir_okay=False))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--changes", "n_changes", default=20, show_default=True, type=click.IntRange(min=2))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--cache", hidden=True, type=click.Path(path_type=Path))
@click.option("--child", "measured", hidden=True, type=click.Choice(list(MEASURED)))
def main(
    root: Path,
    aider_python: str | None,
    rounds: int,
    n_changes: int,
    seed: int,
    cache: Path | None,
    measured: str | None,
) -> None:
    if measured is not None:
        click.echo(json.dumps(MEASURED[measured](root, cache, n_changes, seed)))
        return
    with tempfile.TemporaryDirectory() as folder:
        copy, cache = Path(folder) / "tree", Path(folder) / "context.parquet"
        subprocess.run(["git", "clone", "--quiet", "--shared", str(root.absolute()), str(copy)], check=True)
        options = ["--cache", str(cache), "--changes", str(n_changes), "--seed", str(seed)]
        sides = Sides(copy, options, aider_python)
        tree = sides.run("fill")
        click.echo(f"{tree['files']} files, {tree['mb']:.1f} MB, cache {tree['cache mb']:.1f} MB; {rounds} rounds")
        found = sides.rounds(rounds)
        ratio = report_ratios(found)
        memory, worker_memory = (max(one["all"][name] for one in found) for name in ("mb", "worker mb"))
        click.echo(
            f"\npeak resident MB, edges included: {memory:.0f}; of the largest worker at most {worker_memory:.0f}"
        )
        median_ms = report_changes(sides.run("changes"))
    if ratio < 5 or median_ms >= 100 or memory >= 1000:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
