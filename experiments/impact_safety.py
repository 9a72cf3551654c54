"""Does any failing test escape the selection of `krins.context.tests_for`?

    python experiments/impact_safety.py REPO --package src/flask --python VENV/bin/python [--faults 120] [--seed 1]

Faults are drawn at random and put, one at a time, into a copy of a git repository at its HEAD: bodies of functions
(replaced by `raise` or `return None`, or one comparison, condition or constant in them changed), bodies of fixtures,
constants of modules, and files that are not code. The whole suite runs for each of them, and the tests that fail are
compared with the selection made from the clean tree. Tests that fail or differ in two runs of the clean tree do not
count. Where every test of the suite is selected none can be missed, so it does not run: time goes to the others.

Shown by kind: faults; those for which all tests were selected; the share of tests skipped; faults that ran; those of
them that some test detected; those whose run was cut off; those of which no failing test was selected; and failing
tests that were not selected, in all and those that fail without the selected ones as well (the others fail by chance,
or only after a test that the fault made leave something behind). The bound is that of no miss in n faults (95%, exact).
First, without faults: is every test selected that ran a function, for each function of the tree?

VENV has what the project's tests need. Exit 1 if a failing test was missed.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

sys.path.insert(0, str(Path(__file__).parent))

from impact_faults import KINDS, Fault, draw
from impact_suite import Suite, base, functions_of

from krins.context.facts import Kind
from krins.context.graph import CodeGraph
from krins.context.index import CodeIndex
from krins.context.tests_for import TestMap, TestSelection
from krins.context.tree import WorkTree

_CLEAN_RUNS = 5
_TIMES = 3
"""A test that fails for want of time, or of luck, hardly does so every time."""


class Row(NamedTuple):
    """What came of one fault."""

    fault: Fault
    selection: TestSelection
    has_run: bool
    """Not where all tests were selected; nothing failed then, as far as is known."""
    failed: frozenset[str] = frozenset()
    was_cut_off: bool = False
    missed: frozenset[str] = frozenset()
    """Failing tests that were not selected."""
    alone: frozenset[str] = frozenset()
    """Those of them that fail whenever only they run."""


def covered(test: str, ids: frozenset[str]) -> bool:
    """Whether a test, by the node id that pytest reports, is among selected ids or inside one of them."""
    parts = base(test).split("::")
    return any("::".join(parts[:length]) in ids for length in range(1, len(parts) + 1))


def judge(fault: Fault, suite: Suite, tests: TestMap, baseline: frozenset[str]) -> Row:
    """Put a fault in, run all tests, and compare."""
    selection = tests.tests_for([fault.edit])
    skipped = frozenset(test for test in baseline if not covered(test, frozenset(selection.ids)))
    if not skipped:
        return Row(fault, selection, False)
    target = suite.folder / fault.edit.path
    assert fault.edit.before is not None
    assert fault.edit.after is not None
    target.write_bytes(fault.edit.after)
    try:
        passed, has_ended = suite.run()
        # What did not even start failed, unless the run was cut off before it could.
        failed = frozenset(test for test in baseline if not passed.get(test, not has_ended))
        missed = alone = failed & skipped
        for _ in range(_TIMES):
            again = suite.run(sorted(alone))[0] if alone else {}
            alone = frozenset(test for test in alone if not again.get(test, False))
    finally:
        target.write_bytes(fault.edit.before)
    return Row(fault, selection, True, failed, not has_ended, missed, alone)


def show(rows: Sequence[Row], kinds: Iterable[str]) -> None:
    click.echo(
        f"{'kind':<10}{'faults':>7}{'all selected':>14}{'skipped':>9}{'ran':>6}{'detected':>10}{'cut off':>9}"
        f"{'unseen':>8}{'missed':>8}{'alone':>7}"
    )
    for kind in (*kinds, "all"):
        of_kind = [row for row in rows if kind in ("all", row.fault.kind)]
        if not of_kind:
            continue
        n_run = sum(row.has_run for row in of_kind)
        skipped = sum(row.selection.share_skipped for row in of_kind) / len(of_kind)
        n_unseen = sum(bool(row.failed) and row.failed == row.missed for row in of_kind)
        click.echo(
            f"{kind:<10}{len(of_kind):>7}{len(of_kind) - n_run:>14}{skipped:>9.1%}{n_run:>6}"
            f"{sum(bool(row.failed) for row in of_kind):>10}{sum(row.was_cut_off for row in of_kind):>9}{n_unseen:>8}"
            f"{sum(len(row.missed) for row in of_kind):>8}{sum(len(row.alone) for row in of_kind):>7}"
        )


def show_misses(rows: Sequence[Row]) -> None:
    for row in rows:
        if row.missed:
            click.echo(f"missed: {row.fault.what} in {row.fault.edit.path}: {len(row.missed)} tests")
            click.echo(f"    {len(row.alone)} of them fail alone; for one {min(row.missed)}")


def show_bound(rows: Sequence[Row]) -> None:
    detected = [row for row in rows if row.failed]
    n_misses = sum(bool(row.missed) for row in detected)
    bound = f"at most {1 - 0.05 ** (1 / len(detected)):.1%} miss (95%)" if detected and not n_misses else "no bound"
    click.echo(f"{n_misses} of {len(detected)} detected faults where tests were skipped with a missed test: {bound}")


def cross_check(graph: CodeGraph, tests: TestMap, ran: Mapping[tuple[str, int], frozenset[str]]) -> None:
    """Any function of a Python file: is each test that ran it, or one inside it, among those that are selected?"""
    n_functions = n_pairs = n_left_out = 0
    skipped = 0.0
    for file, facts in enumerate(graph.facts):
        for unit, index in enumerate(facts.unit_definitions.tolist(), int(graph.first_unit[file])):
            if facts.language != "python" or index < 0 or facts.definitions[index].kind is not Kind.FUNCTION:
                continue
            selection, definition = tests.tests_for_bodies([unit]), facts.definitions[index]
            lines = range(definition.start_line, definition.end_line + 1)
            running = frozenset[str]().union(*(ran.get((graph.paths[file], line), ()) for line in lines))
            n_functions += 1
            n_pairs += len(running)
            n_left_out += sum(not covered(test, frozenset(selection.ids)) for test in running)
            skipped += selection.share_skipped
    click.echo(
        f"{n_functions} functions, tests included; {n_pairs} pairs with a test that ran it, {n_left_out} of them not "
        f"selected\nmean share of tests skipped for one function: {skipped / n_functions:.1%}"
    )


def baseline_of(suite: Suite) -> frozenset[str]:
    """Tests that pass in every one of some runs of the clean tree."""
    runs = [suite.run()[0] for _ in range(_CLEAN_RUNS)]
    every = frozenset[str]().union(*runs)
    passing = frozenset(test for test in every if all(run.get(test, False) for run in runs))
    click.echo(f"{len(every)} tests, {len(every) - len(passing)} of them fail or differ in {_CLEAN_RUNS} clean runs")
    if not passing:
        raise click.ClickException("no test passes in the clean tree")
    return passing


@click.command(help=__doc__)
@click.argument("repo", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--package", required=True, help="Folder whose functions and constants get faults.")
@click.option("--python", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--faults", "n_faults", default=120, show_default=True, type=click.IntRange(min=1))
@click.option("--minutes", default=15.0, show_default=True, help="Draws no further faults after that.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
def main(repo: Path, package: str, python: str, n_faults: int, minutes: float, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for name in ("clean", "copy"):
            subprocess.run(["git", "clone", "--quiet", "--shared", str(repo.resolve()), scratch / name], check=True)
        python = str(Path.cwd() / python)  # not where links lead: that is no virtual environment
        suite = Suite(python, scratch / "copy", scratch, 30, 3600)
        baseline = baseline_of(suite)
        started = time.monotonic()
        suite.run()
        seconds = time.monotonic() - started
        suite = suite._replace(run_seconds=10 * seconds + 60)
        tree = WorkTree(scratch / "clean")
        graph = CodeIndex(tree).update()
        tests = TestMap(graph, tree)
        cross_check(graph, tests, functions_of(suite))
        rows: list[Row] = []
        deadline = time.monotonic() + 60 * minutes
        for fault in draw(scratch / "clean", package, n_faults, random.Random(seed)):
            if time.monotonic() > deadline:
                break
            rows.append(judge(fault, suite, tests, baseline))
            if rows[-1].has_run:
                click.echo(f"{len(rows)} {fault.kind}: {len(rows[-1].failed)} failed", err=True)
    click.echo(f"{len(rows)} faults drawn with seed {seed}")
    show(rows, KINDS)
    show_bound(rows)
    show_misses(rows)
    if any(row.missed for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
