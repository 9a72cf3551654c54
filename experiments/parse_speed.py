"""How long does `krins.context.parsing.parse` take, next to tree-sitter's bare parse of the same files?

    python experiments/parse_speed.py ROOT [--files 580] [--min-bytes 1000] [--rounds 7]

ROOT is a folder of Python sources, of which files of at least --min-bytes, evenly spaced, are taken. Each round goes
through all of them, and through the rows in turn for each file, in this one process and thread. Times are CPU time. A
row shows its time by that of the bare parse of the same round: the median over rounds, with the least and the greatest.

Below the bare parse and the whole of `parse` stand bounds: the bare parse, and right after it, file by file, what any
way to the same facts must do with the text or the tree: one query for definitions, imports and calls (captures thrown
away), the tokens of each unit (units known beforehand), the words of each unit (not counted). What `parse` takes beyond
the last row is its bookkeeping.

Exit 1 if the whole takes more than twice the bare parse.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
from tree_sitter import Parser, QueryCursor

sys.path.insert(0, str(Path(__file__).parents[1]))

from krins.context.bpe import encoder
from krins.context.languages import GRAMMARS
from krins.context.parsing import parse

PYTHON = GRAMMARS["python"]
PARSER = Parser(PYTHON.language)
TOKENS = encoder("o200k_base")
REQUIRED = 2.0


class File(NamedTuple):
    source: bytes
    units: list[str]
    """The text of each unit's own lines."""
    words: re.Pattern[str]


def sample(root: Path, n_files: int, min_bytes: int) -> list[File]:
    paths = sorted(path for path in root.rglob("*.py") if path.is_file() and path.stat().st_size >= min_bytes)
    step = max(len(paths) / n_files, 1.0)
    return [_file(paths[int(index * step)].read_bytes()) for index in range(min(n_files, len(paths)))]


def _file(source: bytes) -> File:
    facts = parse(source, "python")
    texts = [""] * facts.n_units
    for line, unit in zip(re.findall(r"[^\n]*\n|[^\n]+", source.decode()), facts.unit_of_line, strict=True):
        texts[unit] += line
    return File(source, texts, PYTHON.ascii_words if source.isascii() else PYTHON.words)


def query(file: File) -> None:
    QueryCursor(PYTHON.query).captures(PARSER.parse(file.source).root_node)


def tokens(file: File) -> None:
    PARSER.parse(file.source)
    for text in file.units:
        TOKENS.count(text)


def words(file: File) -> None:
    PARSER.parse(file.source)
    for text in file.units:
        file.words.findall(text)


def all_three(file: File) -> None:
    QueryCursor(PYTHON.query).captures(PARSER.parse(file.source).root_node)
    for text in file.units:
        TOKENS.count(text)
        file.words.findall(text)


ROWS: dict[str, Callable[[File], object]] = {
    "bare parse": lambda file: PARSER.parse(file.source),
    "whole of parse": lambda file: parse(file.source, "python"),
    "bare, query": query,
    "bare, tokens": tokens,
    "bare, words": words,
    "bare, query, tokens, words": all_three,
}


def seconds(files: list[File]) -> dict[str, float]:
    taken = dict.fromkeys(ROWS, 0.0)
    for file in files:
        for name, row in ROWS.items():
            started = time.process_time()
            row(file)
            taken[name] += time.process_time() - started
    return taken


@click.command(help=__doc__)
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--files", "n_files", default=580, show_default=True, type=click.IntRange(min=1))
@click.option("--min-bytes", default=1000, show_default=True, type=click.IntRange(min=1))
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(min=3))
def main(root: Path, n_files: int, min_bytes: int, rounds: int) -> None:
    files = sample(root, n_files, min_bytes)
    n_bytes, n_units = sum(len(file.source) for file in files), sum(len(file.units) for file in files)
    click.echo(f"{len(files)} files, {n_bytes / 1e6:.1f} MB, {n_units:,} units; {rounds} rounds")
    times = [seconds(files) for _ in range(rounds)]
    click.echo(f"{'':<28}{'by the bare parse: median (least to greatest)'}")
    for name in ROWS:
        ratios = sorted(one[name] / one["bare parse"] for one in times)
        click.echo(f"{name:<28}{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    median = statistics.median(one["whole of parse"] / one["bare parse"] for one in times)
    click.echo(f"required {REQUIRED:g}: {'reached' if median <= REQUIRED else 'MISSED'}")
    if median > REQUIRED:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
