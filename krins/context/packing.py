"""Fill a budget of tokens with what is most likely needed: bodies of the best units, skeletons of all files.

The tail comes first: the richest skeleton that all files can have for their share of the budget (`TAIL_SHARES`), or
else paths.
What is left goes to bodies, by probability a token: the greedy solution of the knapsack problem (Dantzig 1957,
Discrete-Variable Extremum Problems), which is off by at most the last body that did not fit. Costs of bodies are
estimated from the index first and then counted as they are printed.

Invariants: what is returned never costs more than the budget, counted by the tokenizer on the very text; the same
input gives the same text. Left out: how likely a unit is needed (`krins.context.ranking`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from krins.context.excerpt import Excerpt, Level, around, excerpt, skeleton
from krins.context.graph import CodeGraph
from krins.context.ranking import Ranking
from krins.interfaces import BoolArray, FloatArray

TAIL_SHARES = {Level.OUTLINE: 1 / 3, Level.SIGNATURES: 1 / 5, Level.SKELETON: 1 / 5}
"""Most of a budget that skeletons of all files take, by how rich they are: every file is there before any is rich."""
PATHS_SHARE = 1 / 10
"""Of a budget without room for skeletons: for paths of files that are not shown."""
_LEGEND = '"=== PATH" begins a file, "@@ N" its line N; lines that are not here are left out.\n'
_FEW_TOKENS = 10
"""Keeps units of a line or two from coming first for being small alone."""
_GAP_TOKENS = 4
"""What it costs to say that lines are left out."""
_MAX_ROUNDS = 6


class Packed(NamedTuple):
    text: str
    tokens: int
    excerpts: tuple[Excerpt, ...]
    """Files that are shown, by path."""
    named: tuple[str, ...]
    """Files of which only the path is there."""
    n_left_out: int


class Packer:
    """Makes contexts of one tree for one task, of any budget."""

    def __init__(
        self,
        graph: CodeGraph,
        ranking: Ranking,
        lines: Callable[[int], Sequence[str]],
        count: Callable[[str], int],
    ) -> None:
        """`lines` are those of a file by its number; `count` says how many tokens a text has."""
        self._graph, self._ranking, self._lines, self._count = graph, ranking, lines, count
        self._blocks: dict[tuple[int, Level, bytes], tuple[Excerpt, int]] = {}
        tokens = np.concatenate([np.zeros(0), *(facts.unit_tokens for facts in graph.facts)])
        self._unit_tokens: FloatArray = tokens
        price = np.round(np.log(tokens + _FEW_TOKENS) - ranking.log_probabilities, 9)
        order = np.argsort(price, kind="stable")
        self._order: list[int] = order[tokens[order] > 0].tolist()

    def whole(self) -> Packed:
        """Every file in full."""
        return self._composed(self._whole_files(), (), 0)

    def file_tokens(self) -> list[int]:
        """Of each file in full, its path included."""
        return [tokens for _, tokens in self._whole_files()]

    def _whole_files(self) -> list[tuple[Excerpt, int]]:
        every = [np.ones(facts.n_lines, dtype=np.bool_) for facts in self._graph.facts]
        return [self._block(file, Level.WHOLE, shown) for file, shown in enumerate(every)]

    def pack(self, budget_tokens: int) -> Packed:
        """What a budget holds; nothing at all where it has no room to say what is left out."""
        tail = self._tail(budget_tokens)
        bare = self._with_bodies(tail, ())
        if bare.tokens > budget_tokens:
            return Packed("", 0, (), (), self._graph.n_files)
        return self._filled(tail, bare, budget_tokens)

    def _tail(self, budget_tokens: int) -> _Tail:
        best: _Tail | None = None
        for level, share in TAIL_SHARES.items():
            tail = _Tail(level, [skeleton(facts, level) for facts in self._graph.facts])
            if self._with_bodies(tail, ()).tokens > share * budget_tokens:
                break
            best = tail
        if best is not None:
            return best
        nothing = [np.zeros(facts.n_lines, dtype=np.bool_) for facts in self._graph.facts]
        return _Tail(Level.PATH, nothing, int(PATHS_SHARE * budget_tokens))

    def _filled(self, tail: _Tail, bare: Packed, budget_tokens: int) -> Packed:
        """Estimates decide which bodies are tried; the count on the text decides what is taken."""
        costs = self._body_costs(tail)
        room = budget_tokens - bare.tokens
        best = bare
        for _ in range(_MAX_ROUNDS):
            units = self._affordable(costs, room)
            packed = self._with_bodies(tail, units)
            if best.tokens < packed.tokens <= budget_tokens:
                best = packed
            correction = budget_tokens - packed.tokens
            if 0 <= correction <= budget_tokens // 200 or len(units) == len(self._order):
                break
            room += correction - (budget_tokens // 400 if correction < 0 else 0)
        return best

    def _body_costs(self, tail: _Tail) -> FloatArray:
        """Shape (n_units,): about how many tokens each body adds to the tail."""
        shares = []
        for facts, shown in zip(self._graph.facts, tail.masks, strict=True):
            all_lines = np.bincount(facts.unit_of_line, minlength=facts.n_units)
            hidden = np.bincount(facts.unit_of_line[~shown], minlength=facts.n_units)
            shares.append(hidden / np.maximum(all_lines, 1))
        hidden_shares = np.concatenate([np.zeros(0), *shares])
        costs: FloatArray = np.where(hidden_shares > 0, self._unit_tokens * hidden_shares + _GAP_TOKENS, 0.0)
        return costs

    def _affordable(self, costs: FloatArray, room: float) -> list[int]:
        """Units in order, as long as there is room; one that is too large is passed over."""
        taken = []
        all_costs = costs.tolist()
        for unit in self._order:
            if all_costs[unit] <= room:
                room -= all_costs[unit]
                taken.append(unit)
        return taken

    def _with_bodies(self, tail: _Tail, units: Collection[int]) -> Packed:
        graph = self._graph
        masks: dict[int, BoolArray] = {}
        for unit in units:
            file = int(graph.file_of_unit[unit])
            facts, local = graph.facts[file], int(unit - graph.first_unit[file])
            if file not in masks:
                masks[file] = tail.masks[file].copy()
            masks[file] |= (facts.unit_of_line == local) | around(facts, local)
        if tail.level == Level.PATH:
            blocks = [self._block(file, Level.BODIES, masks[file]) for file in sorted(masks)]
            named = self._named(masks, tail.path_tokens)
            return self._composed(blocks, named, graph.n_files - len(masks) - len(named))
        blocks = []
        for file, skeleton_lines in enumerate(tail.masks):
            shown = masks.get(file, skeleton_lines)
            level = tail.level if np.array_equal(shown, skeleton_lines) else Level.BODIES
            blocks.append(self._block(file, level, shown))
        return self._composed(blocks, (), 0)

    def _named(self, shown: Collection[int], room: int) -> tuple[str, ...]:
        """Paths of the best files that are not shown, sorted."""
        named = []
        for file in self._ranking.files:
            if file not in shown:
                room -= self._count(f"{self._graph.paths[file]}\n")
                if room < 0:
                    break
                named.append(self._graph.paths[file])
        return tuple(sorted(named))

    def _composed(self, blocks: Sequence[tuple[Excerpt, int]], named: tuple[str, ...], n_left_out: int) -> Packed:
        """Blocks begin with "===" and end with a line's end, across which no token of a known tokenizer reaches: their
        counts add up to the text's."""
        rest = "=== Not shown:\n" + "".join(f"{path}\n" for path in named) if named else ""
        rest += _more(n_left_out) if n_left_out else ""
        is_whole = not rest and all(shown.level is Level.WHOLE for shown, _ in blocks)
        head = "" if is_whole else _LEGEND
        text = "".join([head, *(shown.text for shown, _ in blocks), rest])
        tokens = sum(tokens for _, tokens in blocks) + (self._count(head) if head else 0)
        tokens += self._count(rest) if rest else 0
        return Packed(text, tokens, tuple(shown for shown, _ in blocks), named, n_left_out)

    def _block(self, file: int, level: Level, shown: BoolArray) -> tuple[Excerpt, int]:
        key = file, level, shown.tobytes()
        if key not in self._blocks:
            made = excerpt(self._graph.paths[file], level, self._lines(file), shown)
            self._blocks[key] = made, self._count(made.text)
        return self._blocks[key]


class _Tail(NamedTuple):
    """What is shown of files without a body."""

    level: Level
    masks: Sequence[BoolArray]
    """By file: shape (n_lines,)."""
    path_tokens: int = 0
    """What paths may cost, where only they are shown."""


def _more(n_files: int) -> str:
    return f"=== {n_files} more {'file' if n_files == 1 else 'files'} left out\n"


__all__ = ["Packed", "Packer"]
