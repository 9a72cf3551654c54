"""Does any failing test escape the selection of `krins.context.tests_for`?

    python experiments/impact_safety.py REPO --package src/flask --python VENV/bin/python [--faults 120] [--seed 1]

Faults are drawn at random and put, one at a time, into a copy of a git repository at its HEAD: bodies of functions
(replaced by `raise` or `return None`, or one comparison, condition or constant in them changed), bodies of fixtures,
constants of modules, and files that are not code. The whole suite runs for each of them, and the tests that fail are
compared with two selections made from the clean tree: from names alone, and from a recording of what each test ran.
Tests that fail or differ in two runs of the clean tree do not count.

Shown by kind: faults; those that some test detected; those for which all tests were selected; the share of tests
skipped; faults of which no failing test was selected; and failing tests that were not selected, in all and those that
fail without the selected ones as well (the others fail only after a test that the fault made leave something behind).
The bound is 3 / n for no miss in n detected faults (95%, "rule of three"). First, without faults: whether names select
every test that ran a function in the recording, for all functions.

VENV has what the project's tests need. Exit 1 if a test was missed that fails by itself.
"""

from __future__ import annotations

import json
import os
import random
import signal
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

from krins.context.facts import Kind
from krins.context.graph import CodeGraph
from krins.context.index import CodeIndex
from krins.context.recording import Recording, record
from krins.context.tests_for import TestMap, TestSelection
from krins.context.tree import WorkTree

_PLUGIN = """
import json, os, signal, pytest

_REPORT, _SECONDS = os.environ["TEST_REPORT"], float(os.environ["TEST_SECONDS"])  # tests may change the environment

def _out_of_time(number, frame):
    raise TimeoutError("test took too long")

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)

def pytest_runtest_logreport(report):
    with open(_REPORT, "a") as file:
        file.write(json.dumps([report.nodeid, report.outcome]) + "\\n")
"""
_TIMES = 3
"""A test that fails for want of time, or of luck, hardly does so every time."""
_METHODS = ("names", "recording")


class Suite(NamedTuple):
    """How to run a project's tests in a folder."""

    python: str
    folder: Path
    scratch: Path
    test_seconds: float
    run_seconds: float

    def run(self, tests: Sequence[str] = ()) -> tuple[dict[str, bool], bool]:
        """Whether each test that ran to an end passed, by node id; and whether the run came to its own end."""
        report = self.scratch / "report.jsonl"
        report.unlink(missing_ok=True)
        command = [self.python, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", "-p", "suite_report", *tests]
        environment = {**os.environ, **_paths(self.folder, self.scratch), "TEST_REPORT": str(report)}
        environment["TEST_SECONDS"] = str(self.test_seconds)
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                process.wait(self.run_seconds)
                has_ended = True
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                has_ended = False
        passed: dict[str, bool] = {}
        for line in report.read_text().splitlines() if report.exists() else ():
            test, outcome = json.loads(line)
            passed[test] = passed.get(test, True) and outcome != "failed"
        return passed, has_ended


def _paths(folder: Path, scratch: Path) -> dict[str, str]:
    """So that the copy is imported, not what is installed."""
    return {"PYTHONPATH": os.pathsep.join(map(str, (folder / "src", folder, scratch)))}


class Row(NamedTuple):
    """What came of one fault. By selection: by `names`, by `recording`."""

    fault: Fault
    failed: frozenset[str]
    was_cut_off: bool
    selections: Mapping[str, TestSelection]
    missed: Mapping[str, frozenset[str]]
    """Failing tests that were not selected."""
    alone: Mapping[str, frozenset[str]]
    """Those of them that fail whenever only they run."""


def covered(test: str, ids: frozenset[str]) -> bool:
    """Whether a test, by the node id that pytest reports, is among selected ids or inside one of them."""
    path, _, name = test.partition("::")
    parts = name.partition("[")[0].split("::")
    return any("::".join([path, *parts[:length]]) in ids for length in range(len(parts) + 1))


def judge(fault: Fault, suite: Suite, maps: Mapping[str, TestMap], baseline: frozenset[str]) -> Row:
    """Put a fault in, run all tests, and compare."""
    selections = {name: tests.tests_for([fault.edit]) for name, tests in maps.items()}
    target = suite.folder / fault.edit.path
    assert fault.edit.before is not None
    assert fault.edit.after is not None
    target.write_bytes(fault.edit.after)
    try:
        passed, has_ended = suite.run()
        # What did not even start failed, unless the run was cut off before it could.
        failed = frozenset(test for test in baseline if not passed.get(test, not has_ended))
        missed, alone = {}, {}
        for name, selection in selections.items():
            ids = frozenset(selection.ids)
            missed[name] = frozenset(test for test in failed if not covered(test, ids))
            alone[name] = frozenset(missed[name])
            for _ in range(_TIMES):
                again = suite.run(sorted(alone[name]))[0] if alone[name] else {}
                alone[name] = frozenset(test for test in alone[name] if not again.get(test, False))
    finally:
        target.write_bytes(fault.edit.before)
    return Row(fault, failed, not has_ended, selections, missed, alone)


def show(rows: Sequence[Row], kinds: Iterable[str]) -> None:
    click.echo(
        f"{'kind':<10}{'faults':>7}{'detected':>9}{'cut off':>8}  "
        + "".join(f"{name + ': all':>16}{'skipped':>9}{'unseen':>8}{'missed':>8}{'alone':>7}" for name in _METHODS)
    )
    for kind in (*kinds, "all"):
        of_kind = [row for row in rows if kind in ("all", row.fault.kind)]
        if not of_kind:
            continue
        line = f"{kind:<10}{len(of_kind):>7}{sum(bool(row.failed) for row in of_kind):>9}"
        line += f"{sum(row.was_cut_off for row in of_kind):>8}  "
        for name in _METHODS:
            selections = [row.selections[name] for row in of_kind]
            skipped = sum(one.share_skipped for one in selections) / len(selections)
            n_missed = sum(len(row.missed[name]) for row in of_kind)
            n_alone = sum(len(row.alone[name]) for row in of_kind)
            n_all = sum(one.n_selected == one.n_tests for one in selections)
            n_unseen = sum(bool(row.failed) and row.failed == row.missed[name] for row in of_kind)
            line += f"{n_all:>16}{skipped:>9.1%}{n_unseen:>8}{n_missed:>8}{n_alone:>7}"
        click.echo(line)


def show_misses(rows: Sequence[Row]) -> None:
    for row in rows:
        for name in _METHODS:
            if row.missed[name]:
                tests = sorted(row.missed[name])
                click.echo(f"missed by {name}: {row.fault.what} in {row.fault.edit.path}: {len(tests)} tests")
                click.echo(f"    {len(row.alone[name])} of them fail alone; for one {tests[0]}")


def show_bounds(rows: Sequence[Row]) -> None:
    for name in _METHODS:
        told_apart = [
            row for row in rows if row.failed and row.selections[name].n_selected < row.selections[name].n_tests
        ]
        for label, some in (
            ("detected faults", [row for row in rows if row.failed]),
            ("where tests were skipped", told_apart),
        ):
            n_misses = sum(bool(row.alone[name]) for row in some)
            bound = f"at most {3 / len(some):.1%} miss (95%)" if some and not n_misses else "no bound"
            click.echo(f"{name}: {n_misses} of {len(some)} {label} with a missed test that fails alone: {bound}")


def cross_check(graph: CodeGraph, maps: Mapping[str, TestMap], recording: Recording) -> None:
    """Any function of a Python file: is each test that ran it among those that names select?"""
    n_functions = n_pairs = n_left_out = 0
    skipped = dict.fromkeys(_METHODS, 0.0)
    for file, facts in enumerate(graph.facts):
        for unit, index in enumerate(facts.unit_definitions.tolist(), int(graph.first_unit[file])):
            if facts.language != "python" or index < 0 or facts.definitions[index].kind is not Kind.FUNCTION:
                continue
            found = {name: tests.tests_for_bodies([unit]) for name, tests in maps.items()}
            definition = facts.definitions[index]
            span = (graph.paths[file], definition.start_line, definition.end_line)
            ran = recording.ids(recording.running(*span))
            ids = frozenset(found["names"].ids)
            n_functions += 1
            n_pairs += len(ran)
            n_left_out += sum(not covered(test, ids) for test in ran)
            for name in _METHODS:
                skipped[name] += found[name].share_skipped
    click.echo(
        f"{n_functions} functions, tests included; {n_pairs} pairs with a test that runs it, {n_left_out} of them "
        f"not selected by names\nmean share of tests skipped for one function: "
        + ", ".join(f"{name} {share / n_functions:.1%}" for name, share in skipped.items())
    )


def baseline_of(suite: Suite) -> frozenset[str]:
    """Tests that pass in two runs of the clean tree."""
    first, second = suite.run()[0], suite.run()[0]
    passing = frozenset(test for test, passed in first.items() if passed and second.get(test, False))
    click.echo(f"{len(first)} tests, {len(first) - len(passing)} of them fail or differ in two clean runs")
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
        (scratch / "suite_report.py").write_text(_PLUGIN)
        python = str(Path.cwd() / python)  # not where links lead: that is no virtual environment
        suite = Suite(python, scratch / "copy", scratch, 30, 3600)
        baseline = baseline_of(suite)
        started = time.monotonic()
        suite.run()
        seconds = time.monotonic() - started
        suite = suite._replace(run_seconds=10 * seconds + 60)
        os.environ.update(_paths(scratch / "clean", scratch))
        recording = record(scratch / "clean", python)
        click.echo(f"recording took {(time.monotonic() - started - seconds) / seconds:.1f} times as long as the suite")
        tree = WorkTree(scratch / "clean")
        graph = CodeIndex(tree).update()
        maps = {"names": TestMap(graph, tree), "recording": TestMap(graph, tree, recording)}
        cross_check(graph, maps, recording)
        rows: list[Row] = []
        deadline = time.monotonic() + 60 * minutes
        for fault in draw(scratch / "clean", package, n_faults, random.Random(seed)):
            if time.monotonic() > deadline:
                break
            rows.append(judge(fault, suite, maps, baseline))
            click.echo(f"{len(rows)} {fault.kind}: {len(rows[-1].failed)} failed", err=True)
    click.echo(f"{len(rows)} faults drawn with seed {seed}")
    show(rows, KINDS)
    show_bounds(rows)
    show_misses(rows)
    if any(row.alone[name] for row in rows for name in _METHODS):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
