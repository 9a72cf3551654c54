"""What the fake models say: the `Answers` seam, with what ships behind it.

`Echo` says something about any prompt, `Solutions` solves the tasks of a folder as often as a model's name says,
`Script` says what a file has it say, and `FirstOf` asks several in turn. Invariant: the same question gets the same
answer. Left out: structured answers for which nothing was scripted (`krins.fake_provider.schemas`), and how long an
answer may be.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from krins.errors import TaskError, UserError, boundary
from krins.fake_provider.wire import Tokens


class Question(NamedTuple):
    model: str
    """Without the fault that its name may end in."""
    prompt: str
    """Text of the last message."""
    earlier: tuple[str, ...]
    """Texts of the messages before it."""
    seed: int
    headers: Mapping[str, str]
    """Names in lower case."""


class Answer(NamedTuple):
    text: str
    tokens: Tokens | None = None
    """None: they are estimated."""
    probabilities: Mapping[str, float] | None = None
    """Of what may come as the first token; None: they are drawn."""


class Answers(Protocol):
    def answer(self, question: Question) -> Answer | None:
        """None: somebody else may know."""
        ...


class Echo:
    """A short text about any prompt, drawn by hash of model, prompt and seed."""

    def answer(self, question: Question) -> Answer:
        digest = hashlib.sha256(f"{question.model} {question.prompt} {question.seed}".encode()).digest()
        words = " ".join(_WORDS[byte % len(_WORDS)] for byte in digest[1 : 9 + digest[0] % 16])
        return Answer(f"[fake answer] {words}.")


_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "glade", "heron", "islet", "jetty", "knoll", "larch")


@dataclass(frozen=True)
class Solutions:
    """Solves tasks: model `p-70` for 70% of (prompt, seed), drawn by hash; a model of another name always."""

    solutions: Mapping[str, str]
    """A task's prompt, as it stands in what a model is asked, to its reference, as an answer writes it."""

    def answer(self, question: Question) -> Answer:
        texts = (*question.earlier, question.prompt)  # what was found wrong with an answer follows the task
        asked = (files for prompt, files in self.solutions.items() if any(prompt in text for text in texts))
        files = next(asked, _WRONG)
        return Answer(f"[fake answer] Here it is:\n\n{files if _is_lucky(question) else _WRONG}")


_WRONG = "```python\ndef nothing():\n    return None\n```\n"


def _is_lucky(question: Question) -> bool:
    share = re.fullmatch(r"p-(\d+)", question.model)
    digest = hashlib.sha256(f"{question.model} {question.prompt} {question.seed}".encode()).digest()
    return share is None or digest[0] / 256 * 100 < int(share[1])


class Line(NamedTuple):
    """What a script has a model say to prompts in which `match` is found."""

    match: re.Pattern[str]
    answer: Answer
    model: str | None


@dataclass(frozen=True)
class Script:
    """The first line that fits is said."""

    lines: Sequence[Line]

    def answer(self, question: Question) -> Answer | None:
        for line in self.lines:
            if line.model in (None, question.model) and line.match.search(question.prompt):
                return line.answer
        return None


@dataclass(frozen=True)
class FirstOf:
    several: Sequence[Answers]

    def answer(self, question: Question) -> Answer | None:
        found = (answers.answer(question) for answers in self.several)
        return next((answer for answer in found if answer is not None), None)


def load_solutions(folder: Path) -> Solutions:
    """Read `task.yaml` and the files under `reference/` of each task in a folder.

    Raises:
        TaskError: the folder is missing, or a task in it cannot be read.
    """
    import yaml

    with boundary(TaskError, f"{folder}: no tasks to solve", "name a folder of task folders"):
        return Solutions(
            {
                yaml.safe_load((task / "task.yaml").read_text(encoding="utf-8"))["prompt"].rstrip(): "\n".join(
                    _written(path, task / "reference") for path in _files(task / "reference")
                )
                for task in sorted(folder.iterdir())
                if (task / "task.yaml").exists()
            }
        )


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and path.parent.name != "__pycache__")


def _written(path: Path, root: Path) -> str:
    """A file as answers give it: its path, and a block with the whole of it, fenced by more than it holds."""
    text = path.read_text(encoding="utf-8")
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", text))])
    language = "python" if path.suffix == ".py" else ""
    end = "" if text.endswith("\n") else "\n"
    return f"{path.relative_to(root).as_posix()}\n{fence}{language}\n{text}{end}{fence}\n"


def load_script(file: Path) -> Script:
    """Read a YAML list of {match: regular expression, answer: text, model: name, usage: tokens, probabilities: map}.

    The latter three may be left out. `usage` has input_tokens and output_tokens, and where they are not 0
    cached_tokens, cache_write_tokens and reasoning_tokens, all counted as krins counts them. `probabilities` are those
    of what may come as the first token, for whoever asks.

    Raises:
        UserError: the file cannot be read, or is not like that.
    """
    import yaml

    with boundary(
        UserError, f"{file}: not a script", "it is a YAML list of {match, answer, model, usage, probabilities}"
    ):
        return Script([_line(**entry) for entry in yaml.safe_load(file.read_text(encoding="utf-8"))])


def _line(
    *,
    match: str,
    answer: str,
    model: str | None = None,
    usage: Mapping[str, int] | None = None,
    probabilities: Mapping[str, float] | None = None,
) -> Line:
    if not all(isinstance(token, str) for token in probabilities or ()):
        raise ValueError("tokens are text: quote yes and no, which YAML takes for truth values")
    said = Answer(answer, _tokens(**usage) if usage else None, probabilities)
    return Line(re.compile(match, re.DOTALL), said, model)


def _tokens(
    *,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
) -> Tokens:
    return Tokens(input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens)
