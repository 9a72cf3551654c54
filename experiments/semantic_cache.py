"""Does the semantic layer of the answer cache ever take one request for another, and how often does it save a call?

Synthetic edits of real prompts: adversarial ones, each of which asks for something else (a word negated, an antonym,
another number, two words swapped, an identifier's case, a word left out or added, code indented otherwise, and what a
gate may be tempted to fold: a full stop, a letter's case, a space, a polite word inside), and polite ones, which ask
for the same. A false hit is an adversarial pair that is taken for the same. Beside the gate stands what a threshold
on similarity alone does. Intervals are exact (Clopper and Pearson 1934), 95%.

    python experiments/semantic_cache.py [PROMPTS.jsonl ...]

By default the prompts of this project's tasks; a file adds the `prompt` of each of its lines.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import yaml
from scipy.stats import beta

from krins.models.cache.meaning import same_meaning, similarity

TASKS = Path(__file__).parents[1] / "evals" / "tasks"
THRESHOLDS = (0.8, 0.9, 0.95, 0.99)
GATE = 0.9
ANTONYMS = {"add": "remove", "first": "last", "before": "after", "all": "any", "true": "false", "raise": "return"}
Edit = Callable[[str, random.Random], str | None]


def antonym(text: str, rng: random.Random) -> str | None:
    pairs = {**ANTONYMS, **{value: key for key, value in ANTONYMS.items()}}
    found = [m for m in re.finditer(r"\b[a-z]+\b", text) if m[0] in pairs]
    if not found:
        return None
    chosen = rng.choice(found)
    return text[: chosen.start()] + pairs[chosen[0]] + text[chosen.end() :]


def negated(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"\b(?:is|are|must|should|may|can|do|does)\b(?! not)", text))
    return None if not found else (lambda m: f"{text[: m.end()]} not{text[m.end() :]}")(rng.choice(found))


def other_number(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"\d+", text))
    if not found:
        return None
    chosen = rng.choice(found)
    return f"{text[: chosen.start()]}{int(chosen[0]) + 1}{text[chosen.end() :]}"


def swapped(text: str, rng: random.Random) -> str | None:
    words = list(re.finditer(r"\b[A-Za-z_]{3,}\b", text))
    if len(words) < 4:
        return None
    a, b = sorted(rng.sample(words, 2), key=lambda m: m.start())
    if a[0] == b[0]:
        return None
    return text[: a.start()] + b[0] + text[a.end() : b.start()] + a[0] + text[b.end() :]


def other_case(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"\b[a-z]+_[a-z_]+\b", text))
    return None if not found else (lambda m: text[: m.start()] + m[0].upper() + text[m.end() :])(rng.choice(found))


def without_a_word(text: str, rng: random.Random) -> str | None:
    found = [m for m in re.finditer(r" [A-Za-z]{4,}\b", text) if m[0].strip().lower() not in {"please", "kindly"}]
    return None if not found else (lambda m: text[: m.start()] + text[m.end() :])(rng.choice(found))


def with_a_word(text: str, rng: random.Random) -> str | None:
    spaces = [m.start() for m in re.finditer(r"(?<=\w) (?=\w)", text)]
    return None if not spaces else (lambda at: f"{text[:at]} almost{text[at:]}")(rng.choice(spaces))


def indented(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"^ {4,}(?=\S)", text, re.MULTILINE))
    return None if not found else (lambda m: text[: m.end()] + "    " + text[m.end() :])(rng.choice(found))


def without_a_stop(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"(?<=\w)[.!?](?=\s)", text))
    return None if not found else (lambda m: text[: m.start()] + text[m.end() :])(rng.choice(found))


def other_first_case(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"\b[A-Za-z](?=[a-z])", text))
    return None if not found else (lambda m: text[: m.start()] + m[0].swapcase() + text[m.end() :])(rng.choice(found))


def other_space(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"(?<=\S)[ \n](?=\S)", text))
    return None if not found else (lambda m: text[: m.start()] + m[0] * 2 + text[m.end() :])(rng.choice(found))


def polite_within(text: str, rng: random.Random) -> str | None:
    found = list(re.finditer(r"(?<=\w) (?=\w)", text))
    words = ("hello", "please", "thanks", "can you")
    return (
        None if not found else (lambda m: f"{text[: m.end()]}{rng.choice(words)} {text[m.end() :]}")(rng.choice(found))
    )


ADVERSARIAL: tuple[Edit, ...] = (
    antonym,
    negated,
    other_number,
    swapped,
    other_case,
    without_a_word,
    with_a_word,
    indented,
    without_a_stop,
    other_first_case,
    other_space,
    polite_within,
)
POLITE: tuple[Callable[[str], str], ...] = (
    lambda text: f"Please {text}",
    lambda text: f"Hello, {text}",
    lambda text: f"{text.rstrip()}\n\nThank you!",
    lambda text: f"{text.rstrip()}\n\n",
)


def adversarial_pairs(prompts: list[str], rng: random.Random) -> Iterator[tuple[str, str, str]]:
    for prompt in prompts:
        for edit in ADVERSARIAL:
            for _ in range(5):
                other = edit(prompt, rng)
                if other is not None and other != prompt:
                    yield edit.__name__, prompt, other


def rate(hits: int, n: int) -> str:
    low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return f"{hits} of {n} = {hits / n:.2%} [{low:.2%}, {high:.2%}]"


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(files: tuple[Path, ...]) -> None:
    prompts = [yaml.safe_load(path.read_text())["prompt"] for path in sorted(TASKS.glob("*/task.yaml"))]
    prompts += [json.loads(line)["prompt"] for file in files for line in file.read_text().splitlines()]
    pairs = list(adversarial_pairs(prompts, random.Random(0)))
    polite = [(prompt, change(prompt)) for prompt in prompts for change in POLITE]
    print(f"{len(prompts)} prompts; synthetic edits: {len(pairs)} adversarial, {len(polite)} polite")
    false_hits = [pair for pair in pairs if same_meaning(pair[1], pair[2], GATE)]
    print("| | false hits | true hits |\n|---|---|---|")
    n_true = sum(same_meaning(a, b, GATE) for a, b in polite)
    print(f"| gate at {GATE} | {rate(len(false_hits), len(pairs))} | {rate(n_true, len(polite))} |")
    for threshold in THRESHOLDS:
        false = sum(similarity(a, b) >= threshold for _, a, b in pairs)
        true = sum(similarity(a, b) >= threshold for a, b in polite)
        print(f"| similarity alone, {threshold} | {rate(false, len(pairs))} | {rate(true, len(polite))} |")
    for kind, a, b in false_hits[:5]:
        print("false hit:", kind, repr(a[:80]), repr(b[:80]), sep="\n  ")
    sys.exit(1 if false_hits else 0)


if __name__ == "__main__":
    main()
