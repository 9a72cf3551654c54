"""How far off are the estimates of Claude's and Gemini's tokens, and which factor do they need?

    python experiments/token_estimates.py REPOSITORY... --tokenizer NAME=TOKENIZER.json --ctok-python VENV/bin/python \\
        [--files 20] [--seed 1]

Counts files of each repository's last commit (those with a grammar, and prose: .md, .rst, .txt; at random, at most
--files of a kind, 0.5 to 30 kB each) with o200k and with other tokenizers:
- `--tokenizer NAME=FILE`, Hugging Face's format, needs `tokenizers`. Gemma's is that of Gemini of the same age; that
  of Claude 2 is published, and later ones are not.
- `--ctok-python`, an interpreter with ctok, which rebuilds the counts of Claude 3 to Opus 4.6 (`claude 3`) and of
  Opus 4.7 and later (`claude 4.7`) from the answers of the provider's counting service: others' work, unofficial.

(a) tokens per o200k token, of all files together, and quantiles over repositories and over files, of each kind as well.
(b) cross-validated: the factor is that of all other repositories together; (estimate - tokens) / tokens, in percent, of
    a repository's files together (least and greatest over repositories), of its files, and of contexts: its files in
    random order, up to about 8,000 tokens of o200k each.
(c) the same with the factor that krins ships: the greatest of a repository in (a), rounded up to 0.05.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from krins.context import git
from krins.context.languages import language_of
from krins.context.tokens import CLAUDE_PERCENT, GEMINI_PERCENT, tokenizer

BYTES = range(500, 30_000)
CONTEXT_TOKENS = 8000
PROSE = (".md", ".rst", ".txt")
CTOK_FAMILIES = {"claude 3": "3.0", "claude 4.7": "4.8"}
CTOK_SCRIPT = """
import json, sys
from ctok import token_count
texts, versions = json.load(sys.stdin)
frames = [token_count("a", version) - 1 for version in versions]  # what the service adds around a message
json.dump([[token_count(t, v) - f for t in texts] for v, f in zip(versions, frames)], sys.stdout)
"""


class Sample(NamedTuple):
    """A file."""

    repository: str
    kind: str
    text: str
    o200k: int


class Counted(NamedTuple):
    """Tokens of all samples, in their order, to one tokenizer."""

    name: str
    tokens: list[int]

    @property
    def shipped(self) -> float:
        return (CLAUDE_PERCENT if "claude" in self.name else GEMINI_PERCENT) / 100


def samples(repository: Path, n_files: int, rng: random.Random) -> list[Sample]:
    """At most so many files of each kind."""
    by_kind: dict[str, list[git.Committed]] = defaultdict(list)
    for file in git.committed(repository, git.commit_name(repository, "HEAD")):
        kind = kind_of(file.name.decode(errors="replace"))
        if kind and file.size in BYTES and file.mode not in (git.LINK, git.SUBMODULE):
            by_kind[kind].append(file)
    blobs, found = git.Blobs(repository), []
    for kind, files in sorted(by_kind.items()):
        for file in rng.sample(files, min(n_files, len(files))):
            text = blobs.content(file.blob).decode(errors="replace")
            found.append(Sample(str(repository), kind, text, tokenizer("o200k").count(text)))
    return found


def kind_of(path: str) -> str | None:
    return "prose" if PurePosixPath(path).suffix in PROSE else language_of(path)


def by_tokenizers(files: Sequence[str], texts: Sequence[str]) -> list[Counted]:
    from tokenizers import Tokenizer

    named = [option.partition("=") for option in files]
    return [
        Counted(
            name, [len(each.ids) for each in Tokenizer.from_file(file).encode_batch(texts, add_special_tokens=False)]
        )
        for name, _, file in named
    ]


def by_ctok(interpreter: str, texts: Sequence[str]) -> list[Counted]:
    question = json.dumps([texts, list(CTOK_FAMILIES.values())])
    done = subprocess.run(
        [interpreter, "-c", CTOK_SCRIPT], input=question, stdout=subprocess.PIPE, text=True, check=True
    )
    return [Counted(*pair) for pair in zip(CTOK_FAMILIES, json.loads(done.stdout), strict=True)]


def contexts(files: Sequence[tuple[int, int]], rng: random.Random) -> list[tuple[int, int]]:
    """Tokens of o200k and of the other tokenizer, of files of one repository put together."""
    made, o200k, others = [], 0, 0
    for ours, theirs in rng.sample(files, len(files)):
        o200k, others = o200k + ours, others + theirs
        if o200k >= CONTEXT_TOKENS:
            made.append((o200k, others))
            o200k, others = 0, 0
    return made


def show_ratios(found: Sequence[Sample], counted: Sequence[Counted]) -> None:
    click.echo(
        f"{'(a) tokens per o200k token':<30}{'number':>7}{'together':>10}{'5%':>8}{'50%':>8}{'95%':>8}{'most':>8}"
    )
    kinds = np.array([sample.kind for sample in found])
    o200k = np.array([sample.o200k for sample in found])
    _, repository = np.unique([sample.repository for sample in found], return_inverse=True)
    for name, tokens in counted:
        show_ratio(f"{name}, repositories", np.bincount(repository, tokens), np.bincount(repository, o200k))
        show_ratio(f"{name}, files", np.array(tokens), o200k)
        for kind in sorted(set(kinds)):
            show_ratio(f"{name}, {kind} files", np.array(tokens)[kinds == kind], o200k[kinds == kind])


def show_ratio(label: str, theirs: NDArray[Any], ours: NDArray[Any]) -> None:
    cells = "".join(f"{value:8.3f}" for value in np.quantile(theirs / ours, [0.05, 0.5, 0.95, 1]))
    click.echo(f"{label:<30}{len(ours):>7}{theirs.sum() / ours.sum():>10.3f}{cells}")


def show_errors(found: Sequence[Sample], counted: Sequence[Counted], seed: int) -> None:
    head = (
        f"{'factor':>14}{'repositories':>18}{'files 5, 50, 95%':>24}{'contexts 5, 50, 95%':>24}{'too low: files':>16}"
    )
    click.echo(f"\n{'error of the estimate, %':<26}{head}{'contexts':>10}")
    for each in counted:
        show_error(found, each, "(b) " + each.name, None, seed)
    for each in counted:
        show_error(found, each, "(c) " + each.name, each.shipped, seed)


def factor_of_others(pairs: Sequence[tuple[Sample, int]], repository: str) -> float:
    others = [(sample.o200k, count) for sample, count in pairs if sample.repository != repository]
    return sum(count for _, count in others) / sum(o200k for o200k, _ in others)


def show_error(found: Sequence[Sample], counted: Counted, label: str, fixed: float | None, seed: int) -> None:
    pairs, rng = list(zip(found, counted.tokens, strict=True)), random.Random(seed)
    factors, of_repositories, of_files, of_contexts = [], [], [], []
    for repository, group in groupby(pairs, lambda pair: pair[0].repository):
        own = list(group)
        factor = fixed or factor_of_others(pairs, repository)
        factors.append(factor)
        files = [(sample.o200k, count) for sample, count in own]
        of_files += errors(files, factor)
        of_contexts += errors(contexts(files, rng), factor)
        of_repositories += errors([(sum(ours for ours, _ in files), sum(count for _, count in files))], factor)
    spans = [(min(factors), max(factors)), (min(of_repositories), max(of_repositories))]
    shown = f"{spans[0][0]:>6.3f} - {spans[0][1]:.3f}{spans[1][0]:>9.1f} to {spans[1][1]:5.1f}"
    for values in (of_files, of_contexts):
        shown += "   " + "".join(f"{value:7.1f}" for value in np.quantile(values, [0.05, 0.5, 0.95]))
    shares = [np.mean(np.array(values) < 0) for values in (of_files, of_contexts)]
    click.echo(f"{label:<26}{shown}{shares[0]:>15.1%}{shares[1]:>10.1%}  of {len(of_files)}, {len(of_contexts)}")


def errors(pairs: Iterable[tuple[int, int]], factor: float) -> list[float]:
    return [100 * (factor * o200k / count - 1) for o200k, count in pairs]


@click.command(help=__doc__)
@click.argument("repositories", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--tokenizer", "files", multiple=True, metavar="NAME=FILE")
@click.option("--ctok-python", type=click.Path(exists=True, dir_okay=False))
@click.option("--files", "n_files", default=20, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=1, show_default=True)
def main(
    repositories: tuple[Path, ...], files: tuple[str, ...], ctok_python: str | None, n_files: int, seed: int
) -> None:
    rng = random.Random(seed)
    found = [sample for repository in repositories for sample in samples(repository, n_files, rng)]
    texts = [sample.text for sample in found]
    counted = by_tokenizers(files, texts) if files else []
    counted += by_ctok(ctok_python, texts) if ctok_python else []
    show_ratios(found, counted)
    show_errors(found, counted, seed)


if __name__ == "__main__":
    main()
