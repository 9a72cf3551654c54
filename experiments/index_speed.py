"""How fast is the code index: cold, from its cache, after a change; and how much memory does it take?

    python experiments/index_speed.py ROOT [--aider-python VENV/bin/python] [--pairs 3] [--changes 20] [--seed 1]

ROOT is a git repository; its head is checked out into a temporary folder. Every measurement is a process of its own,
timed inside without its start-up, wall clock and CPU of it and its workers. Sides alternate (ours, theirs, ours, ...);
a ratio is theirs over ours, above 1 where ours is faster: the median over the pairs, with the least and the greatest.

(a) Cold, without a cache, edges included, in one process and in one for each processor, against the bare tree-sitter
    parse of the same files in one process, and against aider's repo map of the same files (aider-chat==0.86.2 with its
    own grammars, its tags cache empty, a stub of a tokenizer that costs nothing): scan of the tags alone, and scan,
    graph, PageRank and rendering of 1,024 tokens.
(b) From a full cache, against the cold index.
(c) In a running process, after one changed file, each time another: listing, reading, parsing and the graph's arrays;
    and the edges as well. `comment`: nothing that other files see changes; `function`: a function is added, so that
    the edges of all files are resolved again.
(d) Peak of resident memory of (a).

Exit 1 if the cold index is not at least 5 times as fast as the repo map (wall clock), a re-index after a comment takes
100 ms or more (median, arrays), or memory reaches 1 GB.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from krins.context.graph import CodeGraph
from krins.context.index import CodeIndex
from krins.context.tree import WorkTree

AIDER = """
import json, os, resource, sys, tempfile, time
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
print(json.dumps({"wall": wall, "cpu": cpu, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
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
    measured = timed(lambda: with_edges(index.update()))
    for name, who in {"mb": resource.RUSAGE_SELF, "worker_mb": resource.RUSAGE_CHILDREN}.items():
        measured[name] = resource.getrusage(who).ru_maxrss / 1024
    return measured


def bare(root: Path) -> Measured:
    from tree_sitter import Parser

    from krins.context.languages import GRAMMARS, language_of

    tree = WorkTree(root)
    sources = [(GRAMMARS[language_of(path) or ""].language, tree.read(path)) for path in CodeIndex(tree).update().paths]
    return timed(lambda: [Parser(language).parse(source) for language, source in sources])


def warm(root: Path, cache: Path) -> Measured:
    index = CodeIndex(WorkTree(root), cache)
    return timed(index.update)


def changes(root: Path, number: int, seed: int) -> dict[str, list[list[float]]]:
    """Milliseconds of the arrays, and of the edges after them, by kind of change."""
    index = CodeIndex(WorkTree(root))
    with_edges(index.update())
    rng = random.Random(seed)
    files = [path for path in index.update().paths if path.endswith(".py")]
    time.sleep(2.5)  # a file that was written just now is read again at every listing
    index.update()
    found: dict[str, list[list[float]]] = {}
    for kind, text in {"comment": "# changed\n", "function": "\n\ndef added_here():\n    pass\n"}.items():
        found[kind] = []
        for path in rng.sample(files, number):
            with (root / path).open("a") as file:
                file.write(text)
            graphs: list[CodeGraph] = []
            arrays = timed(lambda graphs=graphs: graphs.append(index.update()))
            edges = timed(lambda graphs=graphs: with_edges(graphs[0]))
            found[kind].append([1000 * arrays["wall"], 1000 * edges["wall"], 1000 * arrays["cpu"], 1000 * edges["cpu"]])
    return found


MEASURED: dict[str, Callable[..., Any]] = {
    "one": lambda root, cache, n, seed: cold(root, 1),
    "all": lambda root, cache, n, seed: cold(root, None),
    "bare": lambda root, cache, n, seed: bare(root),
    "warm": lambda root, cache, n, seed: warm(root, cache),
    "changes": lambda root, cache, n, seed: changes(root, n, seed),
}


class Sides:
    """Runs measurements of either side, each in a process of its own."""

    def __init__(self, root: Path, cache: Path, changes: int, seed: int, aider_python: str | None) -> None:
        self._ours = [sys.executable, __file__, str(root), "--cache", str(cache), "--changes", str(changes)]
        self._ours += ["--seed", str(seed), "--child"]
        self._aider_python = aider_python
        self._files = json.dumps([str(root), list(WorkTree(root).list().entries)])

    def run(self, side: str) -> Any:
        if side in MEASURED:
            command, asked = [*self._ours, side], ""
        else:
            assert self._aider_python is not None
            command, asked = [self._aider_python, "-c", AIDER, side], self._files
        answer = subprocess.run(command, input=asked, check=True, stdout=subprocess.PIPE, text=True).stdout
        return json.loads(answer.splitlines()[-1])

    def compare(self, ours: str, theirs: str, label: str, pairs: int) -> float:
        """Print one row; the median ratio of wall clocks."""
        rows = [(self.run(ours), self.run(theirs)) for _ in range(pairs)]
        ratios = {kind: [theirs[kind] / ours[kind] for ours, theirs in rows] for kind in ("wall", "cpu")}
        click.echo(f"{label:<44}{spread(ratios['wall'], 2):>22}{spread(ratios['cpu'], 2):>22}")
        return statistics.median(ratios["wall"])


def spread(values: Sequence[float], digits: int) -> str:
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}-{high})"


def report_changes(found: dict[str, list[list[float]]]) -> float:
    """Print the table; the median of arrays after a comment."""
    click.echo(f"\nre-index after one changed file, ms: median (least-greatest) of {len(found['comment'])}")
    click.echo(f"{'':<12}{'arrays, wall':>24}{'arrays, CPU':>24}{'edges, wall':>24}{'edges, CPU':>24}")
    for kind, rows in found.items():
        wall, edges_wall, cpu, edges_cpu = zip(*rows, strict=True)
        click.echo(f"{kind:<12}" + "".join(f"{spread(part, 0):>24}" for part in (wall, cpu, edges_wall, edges_cpu)))
    return statistics.median(row[0] for row in found["comment"])


@click.command()
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--aider-python", type=click.Path(exists=True, dir_okay=False))
@click.option("--pairs", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--changes", "n_changes", default=20, show_default=True, type=click.IntRange(min=2))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--cache", hidden=True, type=click.Path(path_type=Path))
@click.option("--child", "measured", hidden=True, type=click.Choice(list(MEASURED)))
def main(
    root: Path,
    aider_python: str | None,
    pairs: int,
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
        index = CodeIndex(WorkTree(copy), cache)
        graph = index.update()
        index.save()
        sides = Sides(copy, cache, n_changes, seed, aider_python)
        n_bytes = sum(entry.size for entry in WorkTree(copy).list().entries.values())
        click.echo(
            f"{graph.n_files} files, {n_bytes / 1e6:.1f} MB; cache {cache.stat().st_size / 1e6:.1f} MB; {pairs} pairs"
        )
        click.echo(f"{'theirs / ours: median (least-greatest)':<44}{'wall clock':>22}{'CPU':>22}")
        ratios = [5.0]
        if aider_python is not None:
            ratios.append(sides.compare("all", "map", "aider's repo map / cold index", pairs))
            sides.compare("one", "map", "aider's repo map / cold index, one process", pairs)
            sides.compare("all", "tags", "aider's tags alone / cold index", pairs)
        sides.compare("bare", "one", "cold index, one process / bare parse", pairs)
        sides.compare("bare", "all", "cold index / bare parse", pairs)
        sides.compare("warm", "all", "cold index / index from a full cache", pairs)
        memory = sides.run("all")
        click.echo(f"\npeak resident MB: {memory['mb']:.0f}, and {memory['worker_mb']:.0f} of the largest worker")
        median_ms = report_changes(sides.run("changes"))
    if min(ratios) < 5 or median_ms >= 100 or memory["mb"] >= 1000:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
