"""Selection: what of a tree a model is shown for a task, under a budget of tokens.

Invariants: the context never has more tokens than its budget, by the tokenizer that it was made with; whatever is shown
are whole lines of a file, with their numbers, as they stand in it; the same tree, task, history and budget give the
same text. Left out: asking a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from krins.context.excerpt import Excerpt, Level, excerpt, lines_of
from krins.context.graph import CodeGraph
from krins.context.history import Change
from krins.context.packing import Packer
from krins.context.ranking import Ranking, rank
from krins.context.tokens import Tokenizer
from krins.context.tokens import tokenizer as tokenizer_named
from krins.context.tree import Tree, blob_digest
from krins.errors import ContextError
from krins.interfaces import BoolArray

_MAX_NAMED = 8


@dataclass(frozen=True)
class Context:
    """What a model is shown."""

    text: str
    tokens: int
    """Of the text."""
    budget_tokens: int
    source_tokens: int
    """Of all files in full: what showing everything would have cost."""
    tokenizer: str
    excerpts: tuple[Excerpt, ...]
    """Files that are shown in part or in full, by path."""
    named: tuple[str, ...]
    """Files of which only the path is told."""
    n_left_out: int
    """Files that are not even named."""
    _selector: Selector = field(repr=False, compare=False)

    def expand(self, symbol: str) -> Excerpt:
        """The whole of what was elided: a file by its path, or a definition by `path::Class.method` or its last parts.
        What is no function or class of its own (a constant, a nested function) comes with what it stands in.

        Raises:
            ContextError: nothing, or more than one thing, is so called.
        """
        return self._selector.expand(symbol)


class Selector:
    """Selects from one tree for one task; ranking and reading are done once, whatever budgets are asked for."""

    def __init__(
        self,
        task: str,
        graph: CodeGraph,
        tree: Tree,
        tokenizer: Tokenizer | None = None,
        history: Sequence[Change] = (),
    ) -> None:
        """`tokenizer`: o200k unless another is given."""
        self._graph, self._tree = graph, tree
        self._tokenizer = tokenizer or tokenizer_named("o200k")
        self._sources: dict[int, list[str]] = {}
        self.ranking: Ranking = rank(task, graph, history)
        self._packer = Packer(graph, self.ranking, self._lines, self._tokenizer.count)

    def select(self, budget_tokens: int) -> Context:
        """
        Raises:
            ContextError: the budget is negative, or a file changed since the graph was made.
        """
        if budget_tokens < 0:
            raise ContextError(f"a budget of {budget_tokens} tokens", "give a number of tokens from 0 on")
        packed = self._packer.whole() if self.source_tokens <= budget_tokens else self._packer.pack(budget_tokens)
        return Context(
            packed.text,
            packed.tokens,
            budget_tokens,
            self.source_tokens,
            self._tokenizer.name,
            packed.excerpts,
            packed.named,
            packed.n_left_out,
            self,
        )

    @property
    def file_tokens(self) -> Sequence[int]:
        """Of each file in full, its path included."""
        return self._packer.file_tokens

    @property
    def source_tokens(self) -> int:
        """Of all files in full."""
        return sum(self.file_tokens)

    def expand(self, symbol: str) -> Excerpt:
        """See `Context.expand`."""
        graph = self._graph
        units = graph.find(symbol)
        names = list(dict.fromkeys(graph.symbol(unit) for unit in units))
        if not units:
            raise ContextError(f"nothing in the tree is called {symbol!r}", "name it as `path::Class.method` or a path")
        if len(names) > 1:
            more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
            raise ContextError(f"{symbol!r} may be {', '.join(names[:_MAX_NAMED])}{more}", "name one of them in full")
        file = int(graph.file_of_unit[units[0]])
        lines = self._lines(file)
        shown = np.zeros(len(lines), dtype=np.bool_)
        for unit in units:
            self._show(unit, symbol, shown)
        return excerpt(graph.paths[file], Level.BODIES, lines, shown)

    def _show(self, unit: int, symbol: str, shown: BoolArray) -> None:
        """Add the lines of a definition, or of what it is in where it has none of its own, or of a whole file."""
        graph = self._graph
        file = int(graph.file_of_unit[unit])
        facts, local = graph.facts[file], int(unit - graph.first_unit[file])
        index = int(facts.unit_definitions[local])
        if index >= 0:
            shown[facts.definitions[index].start_line - 1 : facts.definitions[index].end_line] = True
        elif f"/{graph.paths[file]}".endswith(f"/{symbol}"):
            shown[:] = True
        else:
            shown |= facts.unit_of_line == local

    def _lines(self, file: int) -> list[str]:
        if file not in self._sources:
            path = self._graph.paths[file]
            source = self._tree.read(path)
            if blob_digest(source) != self._graph.digests[file]:
                raise ContextError(f"{path} changed since it was indexed", "index the tree again")
            self._sources[file] = lines_of(source)
        return self._sources[file]


def select(
    task: str,
    graph: CodeGraph,
    tree: Tree,
    budget_tokens: int,
    tokenizer: Tokenizer | None = None,
    history: Sequence[Change] = (),
) -> Context:
    """Select what to show of a tree for a task: bodies of what is most likely needed, skeletons of the rest.

    Raises:
        ContextError: the budget is negative, or a file changed since the graph was made.
    """
    return Selector(task, graph, tree, tokenizer, history).select(budget_tokens)


__all__ = ["Context", "Selector", "select"]
