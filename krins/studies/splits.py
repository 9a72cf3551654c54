"""Splits of tasks into those that are chosen on and those that are reported on, so that nothing leaks between them.

Tasks that know of each other stay together: those of one repository, near-twins by their prompts (`near_twins`), and
one instance in several benchmarks (task ids that end alike after their last slash: `swe-bench/django-11099` and
`swt-bench/django-11099`; mere numbers count for nothing). Being together is transitive.

Invariants: groups stay whole; every task is on one side; a split follows from tasks, share and seed. Where there are
four groups or more, either side has two at least. The largest group is for tuning: an interval over unseen tasks needs
many repositories, and none that outweighs the others. Left out: outcomes, which nobody who splits may look at.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from krins.domain import Task
from krins.errors import UserError
from krins.interfaces import BoolArray, FloatArray, IntArray
from krins.statistics.clustered import cluster_codes
from krins.studies.near_twins import near_twins

_CLOSE = 0.05
"""A side is as asked where its share of all tasks, and of each category's, is off by at most this."""
_N_STARTS = 8
_MOST_PROPOSALS = 4000


class Ties(NamedTuple):
    """Why tasks stay together."""

    groups: IntArray
    """Shape (n_tasks,): codes 0..G-1."""
    n_near_twins: int
    """Pairs of tasks with near-identical prompts and different repositories, or of which none is known; of many that
    say the same, each with the first."""
    n_same_instance: int
    """The same, of task ids that name one instance in two benchmarks."""


@dataclass(frozen=True)
class Split:
    """Indices of tasks, rising, and what they were split by."""

    tuning: IntArray
    unseen: IntArray
    ties: Ties

    def swapped(self) -> Split:
        return Split(self.unseen, self.tuning, self.ties)

    def check(self) -> None:
        """
        Raises:
            AssertionError: a task, or one that it is tied to, is on both sides; a fault of krins.
        """
        groups = self.ties.groups
        shared = np.intersect1d(groups[self.tuning], groups[self.unseen])
        if len(shared) or len(self.tuning) + len(self.unseen) != len(groups):
            raise AssertionError(f"groups {shared.tolist()} are on both sides of the split, or tasks on none")


def tie(tasks: Sequence[Task]) -> Ties:
    """Which tasks stay together."""
    parents = list(range(len(tasks)))

    def root(task: int) -> int:
        while parents[task] != task:
            parents[task] = parents[parents[task]]
            task = parents[task]
        return task

    def join(pairs: Iterable[tuple[int, int]]) -> int:
        """How many of the pairs are of two repositories, as far as is known."""
        n_apart = 0
        for one, other in pairs:
            ours, theirs = tasks[one].repository, tasks[other].repository
            n_apart += ours is None or ours != theirs
            parents[max(root(one), root(other))] = min(root(one), root(other))
        return n_apart

    join(_equal([task.repository for task in tasks]))
    n_same_instance = join(_equal([_instance(task.task_id) for task in tasks]))
    n_near_twins = join(near_twins([task.prompt for task in tasks]))
    return Ties(cluster_codes([root(task) for task in range(len(tasks))]), n_near_twins, n_same_instance)


def _instance(task_id: str) -> str | None:
    _, slash, instance = task_id.rpartition("/")
    return instance if slash and not instance.isdigit() else None


def _equal(labels: Sequence[Hashable | None]) -> Iterable[tuple[int, int]]:
    """Each task that has a label with the first that has it too."""
    first: dict[Hashable, int] = {}
    for task, label in enumerate(labels):
        if label is not None and first.setdefault(label, task) != task:
            yield first[label], task


def split_tasks(tasks: Sequence[Task], unseen_share: float, seed: int) -> Split:
    """About a share of the tasks, in whole groups, is left unseen; each category is halved as far as groups allow.

    Raises:
        UserError: all tasks hang together, or there is only one.
    """
    ties = tie(tasks)
    n_groups = int(ties.groups.max()) + 1 if len(tasks) else 0
    if n_groups < 2:
        raise UserError(
            f"the {len(tasks)} tasks cannot be split: they are of one repository, or tied to each other by near-"
            "identical prompts, so that whatever is tuned on some of them has met the others",
            "use a table with tasks of several repositories",
        )
    is_unseen = _pack(_sizes(tasks, ties.groups, n_groups), unseen_share, np.random.default_rng([seed, 1]))
    on_unseen = is_unseen[ties.groups]
    split = Split(np.flatnonzero(~on_unseen), np.flatnonzero(on_unseen), ties)
    split.check()
    return split


def folds(groups: IntArray, n_folds: int, seed: int) -> list[IntArray]:
    """Positions in `groups`, in folds of about equal size that keep groups whole; fewer where there are few groups.

    Larger groups first, each into the fold that is smallest by then.
    """
    codes, sizes = np.unique(groups, return_counts=True)
    shuffled = np.random.default_rng([seed, 2]).permutation(len(codes))
    totals = np.zeros(min(n_folds, len(codes)), np.int64)
    fold_of = np.empty(len(codes), np.int64)
    for group in sorted(shuffled.tolist(), key=lambda each: -sizes[each]):
        fold_of[group] = totals.argmin()
        totals[fold_of[group]] += sizes[group]
    places = fold_of[np.searchsorted(codes, groups)]
    return [np.flatnonzero(places == fold) for fold in range(len(totals))]


def _sizes(tasks: Sequence[Task], groups: IntArray, n_groups: int) -> FloatArray:
    """Shape (n_groups, 1 + n_categories): the share of all tasks, and of each category's, that is in each group."""
    categories = sorted({task.category or "" for task in tasks})
    sizes = np.zeros((n_groups, 1 + len(categories)))
    for task, group in zip(tasks, groups, strict=True):
        sizes[group, 0] += 1
        sizes[group, 1 + categories.index(task.category or "")] += 1
    return np.asarray(sizes / sizes.sum(axis=0))


def _pack(sizes: FloatArray, share: float, rng: np.random.Generator) -> BoolArray:
    """Shape (n_groups,): which groups are left unseen, never the largest, by random local search; the first that is
    close enough, so that seeds differ in what they leave unseen, else the closest."""
    largest = int(sizes[:, 0].argmax())
    is_free = np.arange(len(sizes)) != largest
    packed = np.zeros(len(sizes), np.bool_)
    packed[is_free] = _pack_free(sizes[is_free], share, rng)
    return packed


def _pack_free(sizes: FloatArray, share: float, rng: np.random.Generator) -> BoolArray:
    """The same of all groups but the largest, any of which may be left unseen."""
    found = [_search(sizes, share, rng)]
    while len(found) < _N_STARTS and not _is_close(found[-1] @ sizes, share):
        found.append(_search(sizes, share, rng))
    return min(found, key=lambda one: _miss(one @ sizes, share))


def _search(sizes: FloatArray, share: float, rng: np.random.Generator) -> BoolArray:
    """From a random start: move a group across, or exchange two, where that helps."""
    n_groups = len(sizes)
    n_least = 2 if n_groups >= 3 else 1
    n_most = max(n_groups - 1, 1)  # beside the largest, another for tuning
    now = np.zeros(n_groups, np.bool_)
    now[rng.permutation(n_groups)[: int(np.clip(round(share * n_groups), n_least, n_most))]] = True
    shares = now @ sizes
    miss = _miss(shares, share)
    if _is_close(shares, share):
        return now
    for pair in rng.integers(0, n_groups, (min(4 * n_groups**2, _MOST_PROPOSALS), 2)):
        moved = pair if now[pair[0]] != now[pair[1]] else pair[:1]
        after = shares + np.where(now[moved], -1.0, 1.0) @ sizes[moved]
        is_allowed = len(moved) == 2 or n_least <= now.sum() + (-1 if now[moved[0]] else 1) <= n_most
        if is_allowed and (closer := _miss(after, share)) < miss:
            now[moved] = ~now[moved]
            shares, miss = after, closer
            if _is_close(shares, share):
                break
    return now


def _is_close(shares: FloatArray, share: float) -> bool:
    return bool((np.abs(shares - share) <= _CLOSE).all())


def _miss(shares: FloatArray, share: float) -> float:
    """How far the unseen side, of which `shares` are given, is from what was asked: the number of tasks counts as much
    as all categories together."""
    off = (shares - share) ** 2
    return float(off[0] + off[1:].mean())
