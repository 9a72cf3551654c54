"""Question: how many tokens must a model be shown, so that nothing of what it needs is missing?

    python experiments/context_recall.py REPO [--cases 200] [--aider-python PYTHON]

Takes the last commits of a git repository that change code and tests (see `commits.py`): the task is the commit message
without file names, the code is the parent tree, and needed is what the commit changed. Prints, for krins's selection
and for each way to compare it with,

- how well files are ranked: recall at 1, 5, 10, all needed files among the first 5 and 10, mean reciprocal rank;
- the curve: the share of commits with all needed bodies in full, against the share of the tree's tokens spent;
- the difference to BM25 dropping, commit by commit, with the 95% interval of its mean (Student's t over commits);
- of krins alone: how often every file is there at least as a skeleton, and the same curve with tests needed as well.

Compared: `random` (files in random order), `BM25` (files by Okapi BM25, the best in full until the budget is spent;
what comes after is dropped, which is BM25 dropping), `BM25 filling` (the same, but a file that is too large for what is
left is passed over), `PageRank` (as aider's repo map ranks: over references between
files, personalised by the words of the task), `aider` (the files in the order of aider's own repo map, in the
python of an environment that has aider-chat). The whole repository is the curve's end at 100%.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from aider_map import AiderMap
from commits import Case, cases
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

from krins.context.evidence import Evidence, unit_names
from krins.context.excerpt import Level, lines_of
from krins.context.selection import Selector
from krins.context.tokens import Tokenizer, tokenizer
from krins.interfaces import FloatArray

FILLING = "BM25 filling"
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
CONFIDENCE = 0.95

Order = list[int]
"""Files, best first."""


class Measured(NamedTuple):
    """One way of selecting, on one commit."""

    order: Order
    is_complete: list[bool]
    """By share: whether all needed bodies are there in full."""
    is_complete_with_tests: list[bool]


class Remembering:
    """A tokenizer that counts a text once: most files are the same in the next commit."""

    def __init__(self, base: Tokenizer) -> None:
        self.name, self.is_exact = base.name, base.is_exact
        self._base = base
        self._counts: dict[int, int] = {}

    def count(self, text: str) -> int:
        key = hash(text)
        if key not in self._counts:
            self._counts[key] = self._base.count(text)
        return self._counts[key]


O200K = Remembering(tokenizer("o200k"))


def bm25_order(case: Case) -> Order:
    scores = Evidence(case.task, case.graph).file_scores
    order: Order = np.argsort(-scores, kind="stable").tolist()
    return order


def random_order(case: Case) -> Order:
    seed = int(case.commit[:8], 16)
    order: Order = np.random.default_rng(seed).permutation(case.graph.n_files).tolist()
    return order


def page_rank_order(case: Case, damping: float = 0.85, n_steps: int = 60) -> Order:
    """Files by PageRank over references, jumping to the files whose path or definitions the task names.

    An edge from file to file weighs the square root of how often the one mentions what the other defines; names that
    the task says weigh ten times, names that begin with "_" or are defined in more than five files a tenth, as in
    aider's repo map (aider/repomap.py, get_ranked_tags).
    """
    from scipy.sparse import csr_array

    graph = case.graph
    names = unit_names(graph)
    units = np.flatnonzero(names >= 0)
    shape = (graph.n_files, len(graph.words))
    defines = csr_array((np.ones(len(units)), (graph.file_of_unit[units], names[units])), shape=shape)
    defines.data = np.minimum(defines.data, 1)
    to_file = csr_array((np.ones(graph.n_units), (graph.file_of_unit, np.arange(graph.n_units))))
    mentions = (to_file @ graph.mentions.astype(float)).tocsr()
    said = set(re.findall(r"\w+", case.task))
    weights = np.array([_name_weight(word, said) for word in graph.words])
    weights[defines.sum(axis=0) > 5] *= 0.1
    mentions.data = np.sqrt(mentions.data) * weights[mentions.indices]
    edges = (mentions @ defines.T).tocsr()
    totals = np.asarray(edges.sum(axis=1)).ravel()
    jumps = np.array([bool(said & set(re.findall(r"\w+", path))) for path in graph.paths], dtype=float)
    jumps += np.asarray((defines @ np.array([word in said for word in graph.words], dtype=float)) > 0)
    jumps = jumps / jumps.sum() if jumps.any() else np.full(graph.n_files, 1 / graph.n_files)
    ranks = jumps.copy()
    for _ in range(n_steps):
        flow = edges.T @ (ranks / np.maximum(totals, 1e-12))
        ranks = damping * flow + (1 - damping * flow.sum()) * jumps
    order: Order = np.argsort(-ranks, kind="stable").tolist()
    return order


def _name_weight(word: str, said: set[str]) -> float:
    return (10.0 if word in said else 1.0) * (0.1 if word.startswith("_") else 1.0)


def filling(case: Case, selector: Selector, order: Order) -> Measured:
    """Files in full in an order; what is too large for what is left is passed over."""
    is_complete, with_tests = [], []
    tested = {int(case.graph.file_of_unit[unit]) for unit in case.gold_tests}
    for share in SHARES:
        room, kept = share * selector.source_tokens, set()
        for file in order:
            if selector.file_tokens[file] <= room:
                room -= selector.file_tokens[file]
                kept.add(file)
        is_complete.append(case.gold_files <= kept)
        with_tests.append(case.gold_files | tested <= kept)
    return Measured(order, is_complete, with_tests)


def dropping(case: Case, selector: Selector, order: Order) -> Measured:
    """Files in full in an order, until one does not fit; the rest is dropped."""
    tokens = np.array([selector.file_tokens[file] for file in order])
    is_complete, with_tests = [], []
    tested = {int(case.graph.file_of_unit[unit]) for unit in case.gold_tests}
    for share in SHARES:
        kept = {
            file
            for file, total in zip(order, np.cumsum(tokens), strict=True)
            if total <= share * selector.source_tokens
        }
        is_complete.append(case.gold_files <= kept)
        with_tests.append(case.gold_files | tested <= kept)
    return Measured(order, is_complete, with_tests)


def selecting(case: Case, selector: Selector) -> tuple[Measured, list[bool]]:
    """krins; and, by share, whether every file is there at least as a skeleton."""
    graph = case.graph
    bodies = {unit: _body(case, unit) for unit in case.gold_units | case.gold_tests}
    is_complete, with_tests, has_all = [], [], []
    for share in SHARES:
        budget = int(share * selector.source_tokens)
        context = selector.select(budget)
        assert context.tokens <= budget
        shown = {graph.file_ids[found.path]: found for found in context.excerpts}
        lines = {file: {n for a, b in found.ranges for n in range(a - 1, b)} for file, found in shown.items()}

        def in_full(unit: int, lines: dict[int, set[int]] = lines) -> bool:
            file = int(graph.file_of_unit[unit])
            return file in lines and lines[file] >= bodies[unit]

        code = case.gold_files <= shown.keys() and all(map(in_full, case.gold_units))
        is_complete.append(code)
        with_tests.append(code and all(map(in_full, case.gold_tests)))
        has_all.append(all(found.level >= Level.OUTLINE for found in shown.values()) and len(shown) == graph.n_files)
    return Measured(selector.ranking.files, is_complete, with_tests), has_all


def _body(case: Case, unit: int) -> set[int]:
    """A unit's lines, from 0; blank ones are no part of it."""
    graph = case.graph
    file = int(graph.file_of_unit[unit])
    lines = lines_of(case.tree.read(graph.paths[file]))
    own = np.flatnonzero(graph.facts[file].unit_of_line == unit - graph.first_unit[file])
    return {line for line in own.tolist() if lines[line].strip()}


def measure(case: Case, aider: AiderMap | None, has_curve: bool = True) -> tuple[dict[str, Measured], list[bool]]:
    selector = Selector(case.task, case.graph, case.tree, O200K, case.history)
    ways: dict[str, Callable[[Case], Order]] = {"random": random_order, "BM25": bm25_order, "PageRank": page_rank_order}
    orders = {name: way(case) for name, way in ways.items()}
    if aider is not None:
        orders["aider"] = aider.order(case)
    if not has_curve:
        orders["krins"] = selector.ranking.files
        return {name: Measured(order, [], []) for name, order in orders.items()}, []
    measured = {name: dropping(case, selector, order) for name, order in orders.items()}
    measured[FILLING] = filling(case, selector, orders["BM25"])
    measured["krins"], has_all = selecting(case, selector)
    return measured, has_all


def ranking_row(cases_: Sequence[Case], orders: Sequence[Order]) -> list[str]:
    def mean(values: list[float]) -> str:
        return f"{np.mean(values):.3f}"

    def found(k: int) -> list[float]:
        pairs = zip(cases_, orders, strict=True)
        return [len(case.gold_files & set(order[:k])) / len(case.gold_files) for case, order in pairs]

    ranks = [
        min((order.index(file) + 1 for file in case.gold_files if file in order), default=np.inf)
        for case, order in zip(cases_, orders, strict=True)
    ]
    complete = [mean([float(share == 1) for share in found(k)]) for k in (5, 10)]
    return [*(mean(found(k)) for k in (1, 5, 10)), *complete, mean([1 / rank for rank in ranks])]


def interval(values: FloatArray) -> tuple[float, float]:
    """Of the mean, by Student's t."""
    half = student.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def percent(values: FloatArray) -> list[str]:
    return [f"{100 * value:.0f}" for value in values]


@click.command()
@click.argument("repository", type=click.Path(path_type=Path, exists=True))
@click.option("--cases", "n_cases", default=200, show_default=True, help="Commits, the newest ones that count.")
@click.option("--curve-cases", default=10**6, help="Commits of which the curve is measured too; by default all.")
@click.option("--aider-python", type=click.Path(path_type=Path), help="Python that has aider-chat.")
def main(repository: Path, n_cases: int, curve_cases: int, aider_python: Path | None) -> None:
    aider = AiderMap(repository, aider_python) if aider_python else None
    kept: list[Case] = []
    results: dict[str, list[Measured]] = {}
    has_all: list[list[bool]] = []
    for case in cases(repository, n_cases):
        measured, all_there = measure(case, aider, len(kept) < curve_cases)
        kept.append(case)
        has_all.append(all_there)
        for name, one in measured.items():
            results.setdefault(name, []).append(one)
    if aider is not None:
        aider.close()
    if len(kept) < 2:
        raise click.ClickException(f"{repository}: {len(kept)} commits that change code and tests; at least 2 needed")
    n_curves = min(curve_cases, len(kept))
    report(kept, results, np.array(has_all[:n_curves], dtype=float))


def report(kept: Sequence[Case], results: dict[str, list[Measured]], has_all: FloatArray) -> None:
    console = Console(width=150)
    n_files = np.mean([case.graph.n_files for case in kept])
    console.print(f"{len(kept)} commits, {n_files:.0f} source files on average")
    table = Table("ranking of files", "recall@1", "@5", "@10", "all@5", "all@10", "MRR")
    ranked = {name: measured for name, measured in results.items() if name != FILLING}  # which ranks as BM25 does
    for name, measured in ranked.items():
        table.add_row(name, *ranking_row(kept, [one.order for one in measured]))
    hits = {
        name: np.array(
            [
                len(case.gold_files & set(one.order[:5])) / len(case.gold_files)
                for case, one in zip(kept, some, strict=True)
            ]
        )
        for name, some in ranked.items()
    }
    low, high = interval(hits["krins"] - hits["BM25"])
    table.caption = f"krins - BM25 at 5: {(hits['krins'] - hits['BM25']).mean():+.3f} [{low:+.3f}, {high:+.3f}]"
    console.print(table)

    n_curves = len(has_all)
    table = Table("% of commits with all needed bodies in full, at % of tokens", *percent(np.array(SHARES)))
    curves = {
        name: np.array([one.is_complete for one in some[:n_curves]], dtype=float) for name, some in results.items()
    }
    with_tests = {
        name: np.array([one.is_complete_with_tests for one in some[:n_curves]], dtype=float)
        for name, some in results.items()
    }
    for name, curve in curves.items():
        table.add_row(name, *percent(curve.mean(axis=0)))
    pairs = (
        ("krins - BM25", curves, "BM25"),
        (f"krins - {FILLING}", curves, FILLING),
        ("krins - BM25, tests needed too", with_tests, "BM25"),
    )
    for title, some, other in pairs:
        differences = (some["krins"] - some[other]).T
        cells = [
            f"{100 * d.mean():+.0f} [{100 * interval(d)[0]:+.0f}, {100 * interval(d)[1]:+.0f}]" for d in differences
        ]
        table.add_row(title, *cells)
    for name in ("BM25", "krins"):
        table.add_row(f"{name}, tests needed too", *percent(with_tests[name].mean(axis=0)))
    table.add_row("krins: every file at least a skeleton", *percent(has_all.mean(axis=0)))
    console.print(table)


if __name__ == "__main__":
    main()
