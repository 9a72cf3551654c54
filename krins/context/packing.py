"""Fill a budget of tokens with what is most likely needed: bodies of the best units, skeletons of all files.

The tail comes first: the richest skeleton that all files can have for their share of the budget (`TAIL_SHARES`), or
else paths. What is left goes to bodies in order of probability a token, the greedy way to fill a knapsack (Dantzig
1957, Discrete-Variable Extremum Problems): first many at once by what the index says they cost, less until they fit,
and then one by one by what they add to the text; a body that does not fit is passed over.

Invariants: what is returned never costs more than the budget, counted by the tokenizer on the very text; the same
input gives the same text. Left out: how likely a unit is needed (`krins.context.ranking`), and how an excerpt looks
(`krins.context.excerpt`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from krins.context.excerpt import LEGEND, Excerpt, Level, around, excerpt, printable, skeleton
from krins.context.graph import CodeGraph
from krins.context.ranking import Ranking
from krins.interfaces import BoolArray, FloatArray

TAIL_SHARES = {Level.OUTLINE: 1 / 3, Level.SIGNATURES: 1 / 5, Level.SKELETON: 1 / 5}
"""Most of a budget that skeletons of all files take, by how rich they are: every file is there before any is rich."""
PATHS_SHARE = 1 / 10
"""Of a budget without room for skeletons: for paths of files that are not shown."""
_FEW_TOKENS = 10
"""Keeps units of a line or two from coming first for being small alone."""
_GAP_TOKENS = 2
"""What it costs to say that lines are left out."""
_MAX_ROUNDS = 6
_MAX_MISSES = 60
"""Bodies in a row that did not fit, after which the budget counts as full."""


class Packed(NamedTuple):
    text: str
    tokens: int
    excerpts: tuple[Excerpt, ...]
    """Files that are shown, by path."""
    named: tuple[str, ...]
    """Files of which only the path is there."""
    n_left_out: int


class _Tail(NamedTuple):
    """What is shown of files without a body."""

    level: Level
    masks: Sequence[BoolArray]
    """By file: shape (n_lines,)."""
    tokens: Sequence[int]
    """By file: of its skeleton; 0 where none is shown."""
    path_tokens: int = 0
    """What paths may cost, where only they are shown."""


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
        self._unit_tokens: FloatArray = np.concatenate([np.zeros(0), *(facts.unit_tokens for facts in graph.facts)])
        price = np.round(np.log(self._unit_tokens + _FEW_TOKENS) - ranking.log_probabilities, 9)
        order = np.argsort(price, kind="stable")
        self._order: list[int] = order[self._unit_tokens[order] > 0].tolist()
        self._tails: dict[Level, _Tail] = {}
        self.file_tokens = [self._tokens(file, Level.WHOLE, self._all_lines(file)) for file in range(graph.n_files)]
        """Of each file in full, its path included."""

    def whole(self) -> Packed:
        """Every file in full."""
        shown = [self._excerpt(file, Level.WHOLE, self._all_lines(file)) for file in range(self._graph.n_files)]
        return Packed("".join(one.text for one in shown), sum(self.file_tokens), tuple(shown), (), 0)

    def pack(self, budget_tokens: int) -> Packed:
        """What a budget holds; nothing at all where it has no room to say what is left out."""
        tail = self._tail(budget_tokens)
        room = budget_tokens - self._overhead(tail) - sum(tail.tokens)
        if room < 0:
            return Packed("", 0, (), (), self._graph.n_files)
        bodies = _Bodies(self._graph, tail, self._tokens)
        self._fill_roughly(bodies, room)
        self._fill_up(bodies, room)
        return self._composed(bodies, tail)

    def _tail(self, budget_tokens: int) -> _Tail:
        best: _Tail | None = None
        for level, share in TAIL_SHARES.items():
            tail = self._skeletons(level)
            if self._overhead(tail) + sum(tail.tokens) > share * budget_tokens:
                break
            best = tail
        return best or self._skeletons(Level.PATH)._replace(path_tokens=int(PATHS_SHARE * budget_tokens))

    def _skeletons(self, level: Level) -> _Tail:
        if level not in self._tails:
            masks = [skeleton(facts, level) for facts in self._graph.facts]
            is_shown = level >= Level.OUTLINE
            tokens = [self._tokens(file, level, shown) if is_shown else 0 for file, shown in enumerate(masks)]
            self._tails[level] = _Tail(level, masks, tokens)
        return self._tails[level]

    def _overhead(self, tail: _Tail) -> int:
        """Most that is spent on what is not of a file."""
        if tail.level >= Level.OUTLINE:
            return self._count(LEGEND)
        return self._count(LEGEND) + tail.path_tokens + self._count(_NOT_SHOWN + _more(self._graph.n_files))

    def _fill_roughly(self, bodies: _Bodies, room: int) -> None:
        """Take units in order by estimated costs, of ever less room until they fit."""
        costs = self._estimated_costs(bodies.tail)
        allowed = float(room)
        for _ in range(_MAX_ROUNDS):
            bodies.take(self._affordable(costs, allowed))
            if bodies.tokens <= room:
                return
            allowed *= 0.98 * room / bodies.tokens
        bodies.take(())

    def _estimated_costs(self, tail: _Tail) -> list[float]:
        """By unit: about how many tokens its body adds to the tail. Unit tokens are o200k's and know no markers, so the
        whole tree tells how many of the tokenizer's one of them is."""
        scale = max(1.0, sum(self.file_tokens) / max(self._unit_tokens.sum(), 1.0))
        shares = [np.zeros(0)]
        for facts, shown in zip(self._graph.facts, tail.masks, strict=True):
            n_lines = np.bincount(facts.unit_of_line, minlength=facts.n_units)
            n_hidden = np.bincount(facts.unit_of_line[~shown], minlength=facts.n_units)
            shares.append(n_hidden / np.maximum(n_lines, 1))
        hidden = np.concatenate(shares)
        costs: list[float] = np.where(hidden > 0, scale * self._unit_tokens * hidden + _GAP_TOKENS, 0.0).tolist()
        return costs

    def _affordable(self, costs: Sequence[float], room: float) -> list[int]:
        """Units in order, as long as there is room; one that is too large is passed over."""
        taken = []
        for unit in self._order:
            if costs[unit] <= room:
                room -= costs[unit]
                taken.append(unit)
        return taken

    def _fill_up(self, bodies: _Bodies, room: int) -> None:
        """Take further units one by one, by what they really cost."""
        n_misses = 0
        for unit in self._order:
            if unit not in bodies.units:
                n_misses = 0 if bodies.try_to_add(unit, room) else n_misses + 1
                if n_misses > _MAX_MISSES:
                    return

    def _composed(self, bodies: _Bodies, tail: _Tail) -> Packed:
        graph = self._graph
        shown = []
        for file in range(graph.n_files):
            mask = bodies.masks.get(file)
            if mask is not None and not np.array_equal(mask, tail.masks[file]):
                shown.append(self._excerpt(file, Level.BODIES, mask))
            elif tail.level >= Level.OUTLINE or mask is not None:
                shown.append(self._excerpt(file, tail.level, tail.masks[file]))
        named = self._named(bodies.masks, tail.path_tokens)
        n_left_out = graph.n_files - len(shown) - len(named)
        rest = _NOT_SHOWN + "".join(f"{printable(path)}\n" for path in named) if named else ""
        rest += _more(n_left_out) if n_left_out else ""
        text = "".join([LEGEND, *(one.text for one in shown), rest])
        return Packed(text, self._count(text), tuple(shown), named, n_left_out)

    def _named(self, shown: Collection[int], room: int) -> tuple[str, ...]:
        """Paths of the best files that are not shown, sorted."""
        named = []
        for file in self._ranking.files:
            if file not in shown:
                room -= self._count(f"{printable(self._graph.paths[file])}\n")
                if room < 0:
                    break
                named.append(self._graph.paths[file])
        return tuple(sorted(named))

    def _all_lines(self, file: int) -> BoolArray:
        return np.ones(self._graph.facts[file].n_lines, dtype=np.bool_)

    def _tokens(self, file: int, level: Level, shown: BoolArray) -> int:
        """A block begins with "===" and ends with a line's end, across which no token of a known tokenizer reaches, so
        that counts of blocks add up to at least the text's."""
        return self._count(self._excerpt(file, level, shown).text)

    def _excerpt(self, file: int, level: Level, shown: BoolArray) -> Excerpt:
        return excerpt(self._graph.paths[file], level, self._lines(file), shown)


class _Bodies:
    """Units that are taken in full, with what they add to the tail, counted on the text."""

    def __init__(self, graph: CodeGraph, tail: _Tail, tokens: Callable[[int, Level, BoolArray], int]) -> None:
        self._graph, self.tail, self._count = graph, tail, tokens
        self.units: set[int] = set()
        self.masks: dict[int, BoolArray] = {}
        """By file with a body: shape (n_lines,), the lines that are shown."""
        self._costs: dict[int, int] = {}
        self._counted: dict[tuple[int, bytes], int] = {}

    @property
    def tokens(self) -> int:
        """Of the bodies, beyond those of the tail."""
        return sum(self._costs.values())

    def take(self, units: Collection[int]) -> None:
        """These and no others."""
        self.units, self.masks = set(units), {}
        by_file: dict[int, list[int]] = {}
        for unit in units:
            by_file.setdefault(int(self._graph.file_of_unit[unit]), []).append(unit)
        for file, some in by_file.items():
            self.masks[file] = self._with(file, self.tail.masks[file], some)
        self._costs = {file: self._cost(file, mask) for file, mask in self.masks.items()}

    def try_to_add(self, unit: int, room: int) -> bool:
        file = int(self._graph.file_of_unit[unit])
        before = self._costs.get(file, 0)
        mask = self._with(file, self.masks.get(file, self.tail.masks[file]), [unit])
        cost = self._cost(file, mask)
        if self.tokens - before + cost > room:
            return False
        self.units.add(unit)
        self.masks[file], self._costs[file] = mask, cost
        return True

    def _with(self, file: int, shown: BoolArray, units: Sequence[int]) -> BoolArray:
        facts = self._graph.facts[file]
        is_taken = np.zeros(facts.n_units, dtype=np.bool_)
        local = np.array(units) - self._graph.first_unit[file]
        is_taken[local] = True
        shown = shown | is_taken[facts.unit_of_line]
        for unit in local.tolist():
            around(facts, unit, shown)
        return shown

    def _cost(self, file: int, mask: BoolArray) -> int:
        key = file, mask.tobytes()
        if key not in self._counted:
            self._counted[key] = self._count(file, Level.BODIES, mask) - self.tail.tokens[file]
        return self._counted[key]


_NOT_SHOWN = "=== Not shown:\n"


def _more(n_files: int) -> str:
    return f"=== {n_files} more {'file' if n_files == 1 else 'files'} left out\n"


__all__ = ["Packed", "Packer"]
