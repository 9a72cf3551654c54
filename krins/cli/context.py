"""`krins-context`: what of a source tree a model is shown, what a change can break, and whose the files are.

Invariants: as for `krins-eval` (`krins.cli`): exit code 0 for success, 2 for what the user can mend, 1 for what failed;
results go to standard output, everything else to standard error; heavy imports happen inside commands.
"""

from __future__ import annotations

from pathlib import Path
from posixpath import normpath
from typing import IO, TYPE_CHECKING

import click

from krins import __version__
from krins.cli.common import PATH, _Group
from krins.errors import ContextError, StorageFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krins.context.edits import Edit
    from krins.context.graph import CodeGraph
    from krins.context.tree import Tree

_INDEX = Path(".krins", "context.parquet")

root_argument = click.argument("root", type=PATH, default=".")
json_flag = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
cache_option = click.option("--no-cache", is_flag=True, help=f"Neither read nor write ROOT/{_INDEX}.")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="krins-context")
def main() -> None:
    """See what code a task needs, what a change can break, and who owns it."""


@main.command()
@root_argument
@json_flag
@cache_option
def graph(root: Path, as_json: bool, no_cache: bool) -> None:
    """Count the files, symbols and edges of the tree at ROOT, by language."""
    import json

    from krins.cli.context_tables import as_table, counted

    found = counted(_indexed(_work_tree(root), root, no_cache))
    click.echo(json.dumps(found, indent=2) if as_json else as_table(found))


@main.command()
@click.argument("names", nargs=-1, metavar="[ROOT] PATH_OR_SYMBOL...")
@click.option("--diff", "rev", metavar="REV", help="What has changed since a commit, in place of names.")
@click.option("--tests", "for_tests", is_flag=True, help="Print the tests that must run, one a line, for the runner.")
@click.option("--limit", default=40, show_default=True, type=click.IntRange(min=1), help="Lines, without --tests.")
@cache_option
def impact(names: tuple[str, ...], rev: str | None, for_tests: bool, limit: int, no_cache: bool) -> None:
    """Show what can break when files or symbols change, nearest first.

    The first argument is the folder of the tree if it is a folder; it is the current one otherwise. A symbol is
    `pkg/mod.py::Class.method` or its last parts. With --tests names of functions stand for edits of their bodies.
    """
    from krins.cli.context_impact import edited_symbols, print_impact, print_tests
    from krins.context.impact import units_of
    from krins.context.tests_for import TestMap

    root, symbols = (Path(names[0]), names[1:]) if names and Path(names[0]).is_dir() else (Path(), names)
    if bool(symbols) == bool(rev):
        raise click.UsageError("name what changes, or give --diff REV")
    edits = _edits(root, rev) if rev else ()
    tree = _committed_tree(root, rev) if rev else _work_tree(root)
    graph = _indexed(tree, root, no_cache)
    if not for_tests:
        print_impact(graph, symbols or edited_symbols(graph, edits), limit)
        return
    tests = TestMap(graph, tree)
    units = {unit for symbol in symbols for unit in units_of(graph, symbol)}
    print_tests(tests.tests_for_bodies(units) if symbols else tests.tests_for(edits))


@main.command()
@root_argument
@click.argument("paths", nargs=-1)
def owners(root: Path, paths: tuple[str, ...]) -> None:
    """Say who owns PATHs, relative to ROOT, by its CODEOWNERS; without any, how many files are whose."""
    from krins.context.owners import PLACES, CodeOwners

    _ensure_folder(root)
    found = CodeOwners.of(root)
    if found.file is None:
        raise ContextError(f"{root}: has no CODEOWNERS file", f"write one at {PLACES[0]}")
    for problem in found.problems:
        click.echo(f"warning: {found.file}:{problem.line}: {problem.reason}", err=True)
    for path in paths:
        click.echo("\t".join([path, " ".join(found.owners(_below_root(path))) or "nobody"]))
    if not paths:
        from krins.context.tree import WorkTree

        listed = WorkTree(root).list().entries
        for owner, owned in found.owned(listed).items():
            click.echo(f"{len(owned)}\t{owner}")
        click.echo(f"{sum(not found.owners(path) for path in listed)}\tnobody")


@main.command()
@root_argument
@click.option("--task", help="What is to be done, in words.")
@click.option("--task-file", type=click.File(encoding="utf-8"), help="The same from a file; - for standard input.")
@click.option("--budget", "budget_tokens", required=True, type=click.IntRange(min=0), metavar="N", help="In tokens.")
@click.option("--tokenizer", "tokenizer_name", default="o200k", show_default=True, metavar="NAME")
@click.option("--rev", metavar="COMMIT", help="The tree of a commit, in place of the files on disk.")
@json_flag
@cache_option
def select(
    root: Path,
    task: str | None,
    task_file: IO[str] | None,
    budget_tokens: int,
    tokenizer_name: str,
    rev: str | None,
    as_json: bool,
    no_cache: bool,
) -> None:
    """Print what to show a model of the tree at ROOT for a task: never more tokens than the budget."""
    import json

    from krins.cli.context_tables import context_as_json, summary
    from krins.context.history import read_history
    from krins.context.selection import select as select_context
    from krins.context.tokens import tokenizer

    if (task is None) == (task_file is None):
        raise click.UsageError("give the task by either --task or --task-file")
    words = task or (_read(task_file) if task_file else "")
    counting = tokenizer(tokenizer_name)
    tree = _committed_tree(root, rev) if rev else _work_tree(root)
    graph = _indexed(tree, root, no_cache)
    found = select_context(words, graph, tree, budget_tokens, counting, read_history(root, rev or "HEAD"))
    click.echo(json.dumps(context_as_json(found), indent=2) if as_json else found.text, nl=as_json)
    click.echo(summary(found, graph), err=True)


def _ensure_folder(root: Path) -> None:
    if not root.is_dir():
        raise ContextError(f"{root}: no such folder", "name the folder that holds the sources")


def _work_tree(root: Path) -> Tree:
    from krins.context.tree import WorkTree

    _ensure_folder(root)
    return WorkTree(root)


def _committed_tree(root: Path, rev: str) -> Tree:
    from krins.context.tree import GitTree

    _ensure_folder(root)
    return GitTree(root, rev)


def _indexed(tree: Tree, root: Path, no_cache: bool) -> CodeGraph:
    from krins.context.index import CodeIndex

    index = CodeIndex(tree, None if no_cache else root / _INDEX)
    graph = index.update()
    for warning in graph.warnings:
        click.echo(f"warning: {warning}", err=True)
    if not graph.n_files:
        skipped = ", ".join(f"{count} {reason}" for reason, count in graph.skipped.items())
        raise ContextError(f"{root}: holds no source file ({skipped or 'no file at all'})", "name another folder")
    try:
        index.save()
    except StorageFault as fault:
        click.echo(f"warning: {fault}\n  the result stands; --no-cache goes without", err=True)
    return graph


def _read(file: IO[str]) -> str:
    try:
        return file.read()
    except (OSError, UnicodeDecodeError) as failure:
        raise ContextError(f"--task-file: cannot be read: {failure}", "give text in UTF-8") from failure


def _below_root(path: str) -> str:
    """As patterns of CODEOWNERS have it: `./a.py` is `a.py`."""
    found = normpath(path)
    if found.startswith(("/", "../")) or found == "..":
        raise ContextError(f"{path}: is not relative to ROOT, or not below it", "name it as git lists it")
    return found


def _edits(root: Path, rev: str) -> Sequence[Edit]:
    from krins.context.changes import edits_since

    _ensure_folder(root)
    return edits_since(root, rev)


__all__ = ["main"]
