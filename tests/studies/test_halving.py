"""Successive halving, by hand; and the space that its candidates come from."""

from __future__ import annotations

import pytest

from krins.router_specs import EpsilonGreedyRouter, FixedRouter, LinTsRouter, Router, ThompsonRouter
from krins.studies.halving import Found, halve, n_trials, rungs
from krins.studies.search_space import Candidate, candidates
from krins.suite import Suite

# Mean reward of each candidate on the chunks of each of three rungs.
SCORES = {0: (0.1, 9.0, 9.0), 1: (0.5, 0.1, 9.0), 2: (0.5, 0.9, 0.2), 3: (0.9, 0.7, 0.8), 4: (0.2, 9.0, 9.0)}


def test_rungs_double_and_end_where_replications_do() -> None:
    assert [list(rung) for rung in rungs(7)] == [[0], [1], [2, 3], [4, 5, 6]]
    assert rungs(1) == [range(1)]


def test_the_better_half_goes_on() -> None:
    asked: list[tuple[int, int, int]] = []

    def attempt(candidate: Candidate, rung: int, chunks: range) -> Found:
        asked.append((candidate.number, rung, len(chunks)))
        return Found([SCORES[candidate.number][rung]] * len(chunks), 0.5, None)

    standings = halve([Candidate(n, ThompsonRouter(), False) for n in SCORES], 4, attempt)
    # 5, then 3, then 2: after the first rung 3 leads and the tie between 1 and 2 goes by number.
    assert asked[5:] == [(3, 1, 1), (1, 1, 1), (2, 1, 1), (3, 2, 2), (2, 2, 2)]
    assert [one.candidate.number for one in standings] == [3, 2, 1, 4, 0]
    assert standings[0].reward == pytest.approx((0.9 + 0.7 + 2 * 0.8) / 4)
    assert [one.rung for one in standings] == [2, 2, 1, 0, 0]
    assert n_trials([one.candidate for one in standings], 4) == len(asked)


def test_luck_of_others_does_not_throw_out_the_best_fixed_model() -> None:
    """Three that learn are lucky once; the better of two fixed models is the best there is."""
    lucky = {0: (0.9, 0.1), 1: (0.8, 0.2), 2: (0.7, 0.3), 3: (0.6, 0.6), 4: (0.65, 0.65)}
    tried: list[tuple[int, int]] = []

    def attempt(candidate: Candidate, rung: int, chunks: range) -> Found:
        tried.append((candidate.number, rung))
        return Found([lucky[candidate.number][rung]] * len(chunks), 0.5, None)

    given = [Candidate(n, FixedRouter(model=str(n)) if n > 2 else ThompsonRouter(), False) for n in lucky]
    standings = halve(given, 2, attempt)
    assert [one.candidate.number for one in standings] == [4, 0, 1, 2, 3]
    assert [number for number, rung in tried if rung == 1] == [0, 1, 4]
    assert n_trials(given, 2) == len(tried)


def test_a_router_that_comes_to_the_same_as_a_model_does_not_win() -> None:
    def attempt(candidate: Candidate, rung: int, chunks: range) -> Found:
        return Found([0.1 * 3 if candidate.number == 0 else 0.3] * len(chunks), 0.5, None)  # which differ by rounding

    given = [Candidate(0, ThompsonRouter(), True), Candidate(1, FixedRouter(model="a"), False)]
    assert [one.candidate.number for one in halve(given, 2, attempt)] == [1, 0]


def suite(**keys: object) -> Suite:
    environment = {"kind": "recorded", "table": "t.parquet"}
    routers = [{"policy": "epsilon-greedy", "epsilon": 0.1}, "random", {"policy": "budgeted", "usd_per_task": 1}]
    return Suite.model_validate({"name": "s", "environment": environment, "routers": routers, **keys})


def test_candidates_are_distinct_stay_in_their_space_and_follow_from_the_seed() -> None:
    found = candidates(suite(features={"fields": ["category"]}), (-1.0, 1.0), 8)
    routers = [one.router for one in found]
    assert len({router.label for router in routers}) == len(routers)
    assert [one.router.policy for one in found if one.is_suites] == ["epsilon-greedy", "random"]
    epsilons = [router.epsilon for router in routers[1:] if isinstance(router, EpsilonGreedyRouter)]
    assert len(epsilons) == 8
    assert all(0.005 <= epsilon <= 0.3 for epsilon in epsilons)
    # A Sobol sequence puts one of eight points into each eighth.
    assert {int(8 * _place(epsilon)) for epsilon in epsilons} == set(range(8))
    assert {router.shared for router in routers if isinstance(router, LinTsRouter)} == {True, False}
    assert {router.reward_range for router in routers if hasattr(router, "reward_range")} == {(-1.0, 1.0)}
    assert [one.router for one in candidates(suite(features={"fields": ["category"]}), (-1.0, 1.0), 8)] == routers
    assert [one.router for one in candidates(suite(seed=1), (-1.0, 1.0), 8)] != [
        one.router for one in candidates(suite(), (-1.0, 1.0), 8)
    ]


def test_every_model_alone_is_a_candidate_once() -> None:
    named = suite(routers=[{"policy": "fixed", "model": "a", "name": "cheap"}])
    found = [one.router for one in candidates(named, (0.0, 1.0), 1, ["a", "b"]) if one.is_exact]
    assert [router.label for router in found] == ["cheap", "fixed:b"]


def test_no_two_candidates_share_a_label() -> None:
    windowed = {"policy": "thompson", "window": 60, "name": "thompson"}
    budgeted = {"policy": "budgeted", "usd_per_task": 1, "name": "fixed:a"}
    found = candidates(suite(routers=[windowed, budgeted]), (0.0, 1.0), 1, ["a"])
    labels = [one.router.label for one in found]
    assert len(set(labels) | {"fixed:a"}) == len(labels) + 1
    plain = next(one for one in found if _does(one.router, ThompsonRouter()))
    assert plain.router.label == f"thompson (candidate {plain.number})"


def _does(router: Router, other: Router) -> bool:
    return router.model_dump(exclude={"name"}) == other.model_dump(exclude={"name"})


def _place(epsilon: float) -> float:
    """In the unit interval."""
    import math

    return math.log(epsilon / 0.005) / math.log(0.3 / 0.005)


def test_without_features_nothing_contextual_is_tried() -> None:
    assert not {"linucb", "lints"} & {one.router.policy for one in candidates(suite(), (0.0, 1.0), 2)}
