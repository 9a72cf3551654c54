"""Successive halving: many candidates on few replications, the better half of them on twice as many, and so on.

Karnin, Koren and Somekh 2013; Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
optimization", section 3; the innermost loop of Hyperband (Li et al. 2018). Replications are paired, so that rungs add
to what there is, and candidates differ by what they do and not by the luck of an order. Invariants: which candidates go
on follows from the scores alone; of equals a fixed model goes on first, then in the order in which they are numbered.
A candidate whose score is exact, as a fixed model's is, takes nobody's place: after the first rung the best of them
goes on beside the others, so that others' luck cannot throw it out. Left out: several brackets, which hedge against a
first rung that misleads: here its replications are a fair sample of the last one's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from krins.studies.search_space import Candidate


class Found(NamedTuple):
    """What one rung's further replications brought."""

    rewards: list[float]
    """Mean reward of each replication."""
    quality: float
    """Mean over them; so is the next."""
    cost_usd: float | None


class Standing(NamedTuple):
    """A candidate after its last rung, over all of its replications."""

    candidate: Candidate
    rung: int
    found: Found

    @property
    def reward(self) -> float:
        return float(np.mean(self.found.rewards))

    @property
    def reward_error(self) -> float:
        """Standard error over replications."""
        rewards = self.found.rewards
        return float(np.std(rewards, ddof=1) / np.sqrt(len(rewards)))


Try = Callable[[Candidate, int, range], Found]
"""A candidate and a rung, on the chunks of replications that the rung adds."""


def rungs(n_chunks: int) -> list[range]:
    """The chunks of replications that each rung adds: 1, 1, 2, 4, ... until there are `n_chunks`."""
    ends = [0, 1]
    while ends[-1] < n_chunks:
        ends.append(min(2 * ends[-1], n_chunks))
    return [range(start, end) for start, end in pairwise(ends)]


def n_trials(candidates: Sequence[Candidate], n_chunks: int) -> int:
    """How many times `halve` tries a candidate on a rung."""
    n_exact = sum(one.is_exact for one in candidates)
    n_rungs = len(rungs(n_chunks))
    n_halved = sum(_survivors(len(candidates) - n_exact, rung) for rung in range(n_rungs))
    return n_halved + n_exact + min(n_exact, 1) * (n_rungs - 1)


def halve(candidates: Sequence[Candidate], n_chunks: int, attempt: Try) -> list[Standing]:
    """All candidates, best first: those that came further first, and among them those with more reward."""
    going = [Standing(candidate, -1, Found([], 0.0, 0.0)) for candidate in candidates]
    stopped: list[Standing] = []
    n_others = sum(not one.is_exact for one in candidates)
    for rung, chunks in enumerate(rungs(n_chunks)):
        kept = _kept(going, _survivors(n_others, rung)) if rung else going
        stopped = [standing for standing in going if standing not in kept] + stopped
        going = _ranked(_add(standing, rung, attempt(standing.candidate, rung, chunks)) for standing in kept)
    return going + stopped


def _kept(going: list[Standing], n: int) -> list[Standing]:
    """The best `n` whose scores hold chance, and the best of those that are exact."""
    exact = [standing for standing in going if standing.candidate.is_exact]
    return [standing for standing in going if not standing.candidate.is_exact][:n] + exact[:1]


def _survivors(n_candidates: int, rung: int) -> int:
    return int(-(-n_candidates // 2**rung))


def _ranked(standings: Iterator[Standing]) -> list[Standing]:
    """Best first; of equals a fixed model, for a router that comes to the same is of no use."""
    return sorted(
        standings, key=lambda each: (-round(each.reward, 9), not each.candidate.is_exact, each.candidate.number)
    )


def _add(standing: Standing, rung: int, more: Found) -> Standing:
    before = standing.found
    n, n_more = len(before.rewards), len(more.rewards)

    def mean(one: float, other: float) -> float:
        return (n * one + n_more * other) / (n + n_more)

    cost = None if before.cost_usd is None or more.cost_usd is None else mean(before.cost_usd, more.cost_usd)
    found = Found(before.rewards + more.rewards, mean(before.quality, more.quality), cost)
    return Standing(standing.candidate, rung, found)
