"""What a prompt shows of a task's source tree, made once a task, before anything is asked.

`none` shows nothing, `whole` every file in full, in the order of paths, `select` what fits into a budget of tokens,
most relevant to the prompt first. Invariants: tokens are o200k's, whichever model is asked; the baseline is the text
that `whole` gives; the same task, option and version of krins give the same text. Left out: how a selection is made
(`krins.context.selection`), and asking again for what it left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from krins.domain import GivenContext
from krins.pipeline.tasks import CodingTask
from krins.suite import ContextOption

if TYPE_CHECKING:
    from krins.context.tokens import Tokenizer


class Shown(NamedTuple):
    """What a prompt shows of a tree."""

    text: str
    tokens: int


Select = Callable[[str, Mapping[str, str], int, "Tokenizer"], Shown]
"""From a task's prompt, its tree, a budget of tokens and what counts them, to what is shown."""


def selected(prompt: str, tree: Mapping[str, str], budget_tokens: int, counting: Tokenizer) -> Shown:
    """A selection by `krins.context`, without a history.

    Raises:
        ContextError: it cannot be made.
    """
    from krins.context.index import CodeIndex
    from krins.context.selection import select
    from krins.context.tree import MemoryTree

    files = MemoryTree(tree)
    found = select(prompt, CodeIndex(files, workers=1).update(), files, budget_tokens, counting)
    return Shown(found.text, found.tokens)


def with_contexts(tasks: Sequence[CodingTask], option: ContextOption, select: Select = selected) -> list[CodingTask]:
    """The tasks, those with a tree together with their context.

    Raises:
        ContextError: `select` raised it.
    """
    if not any(coding.tree for coding in tasks):
        return list(tasks)
    from krins.context.tokens import tokenizer

    counting = tokenizer("o200k")
    return [_with_context(coding, option, select, counting) if coding.tree else coding for coding in tasks]


def _with_context(coding: CodingTask, option: ContextOption, select: Select, counting: Tokenizer) -> CodingTask:
    everything = whole(coding.tree)
    whole_tokens = counting.count(everything)
    if option == "none":
        return replace(coding, context=GivenContext("none", 0, whole_tokens))
    if option == "whole":
        given = GivenContext("whole", whole_tokens, whole_tokens)
        return replace(coding, context=given, context_text=everything)
    shown = select(coding.task.prompt, coding.tree, option.select.budget_tokens, counting)
    given = GivenContext("select", shown.tokens, whole_tokens)
    return replace(coding, context=given, context_text=shown.text)


def whole(tree: Mapping[str, str]) -> str:
    """Every file in full, as selections write it."""
    import numpy as np

    from krins.context.excerpt import Level, excerpt, lines_of

    files = {path: lines_of(text.encode()) for path, text in tree.items()}
    everything = ((path, lines, np.ones(len(lines), dtype=np.bool_)) for path, lines in files.items())
    return "".join(excerpt(path, Level.WHOLE, lines, shown).text for path, lines, shown in everything)


def describe_contexts(tasks: Sequence[CodingTask]) -> str | None:
    """How much of their trees prompts show, in words; None where no task has a tree."""
    given = [coding.context for coding in tasks if coding.context is not None]
    whole_tokens = sum(context.whole_tokens for context in given)
    if not whole_tokens:
        return None
    tokens = sum(context.tokens for context in given)
    return (
        f"{tokens / len(given):,.0f} of the {whole_tokens / len(given):,.0f} o200k tokens that a whole tree takes, "
        f"{1 - tokens / whole_tokens:.1%} saved; {len(given)} of {len(tasks)} tasks have a tree"
    )
