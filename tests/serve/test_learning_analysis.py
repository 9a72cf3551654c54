"""What the service's own log says: against simulated truth, and refused where it cannot say."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from krins.clock import FakeClock
from krins.domain import Task
from krins.errors import UserError
from krins.interfaces import Policy
from krins.routing.baselines import FixedArm
from krins.routing.floor import ExplorationFloor
from krins.routing.quality_floor import QualityFloor
from krins.routing.thompson import ThompsonBeta
from serve.interfaces import DecisionMade, Feedback, Turn
from serve.learning.analysis import report, what_if
from serve.learning.client import LearningClient
from serve.learning.decider import Decider
from serve.learning.log import ServedLog, read_log
from tests.serve.learning_support import KEY, connected, loaded_router, open_learner

CHANCE = {"small": 0.55, "middle": 0.56, "large": 0.57}
COST = {"small": 0.01, "middle": 0.02, "large": 0.1}


def _served(folder: Path, policy: Policy[Any], n: int, turns: int = 1) -> ServedLog:
    """The log of `n` decisions, and as many later ones of each conversation as it has further `turns`."""

    async def main() -> None:
        clock, rng = FakeClock(1e9), np.random.default_rng(1)
        learner = open_learner(folder, clock)
        await learner.begin(loaded_router(policy), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        for start in range(0, n, 50):
            items = []
            for number in range(start * turns, (start + 50) * turns):
                clock.advance(0.001)
                made = decider.decide(Task("t"), Turn(f"{number // turns:032x}", number % turns == 0, 100, None))
                quality = float(rng.random() < CHANCE[made.arm])
                items.append(Feedback(made.decision_id, quality, Decimal(str(COST[made.arm]))))
                client.note(
                    DecisionMade(
                        clock.now_seconds(), made.decision_id, "r", "", made.arm, None, made.reason, 1, 0, None, "route"
                    )
                )
            await client.feedback(items)
        await client.close()
        await learner.close()

    asyncio.run(main())
    return read_log(folder, KEY)


def test_a_saving_is_told_with_its_interval(tmp_path: Path) -> None:
    """The floor asks large in a tenth of the decisions: the mean cost is 0.7 * 0.01 + 0.1 * 0.13 = $0.02, so 80% are
    saved against large, whose cost is the same each time, and SNIPS tells that without an error."""
    log = _served(tmp_path, ExplorationFloor(FixedArm(0), 0.3), 2000)
    assert len(log.chosen) == 2000
    answer = report(log, "")
    saving = answer["saving"]
    assert saving["reference"] == "large"
    assert answer["cost_usd"]["value"] == pytest.approx(0.1)
    assert saving["ratio"] == pytest.approx(1 - log.cost_usd.mean() / 0.1)
    assert saving["ratio"] == pytest.approx(0.8, abs=0.03)
    assert answer["quality"]["low"] < CHANCE["large"] < answer["quality"]["high"]
    # 200 decisions of large leave more than the margin open, so that nothing is claimed.
    assert not saving["is_claimed"] and "may be worse" in saving["words"]
    asked = what_if(log, "fixed:middle")
    assert asked["quality"]["low"] < CHANCE["middle"] < asked["quality"]["high"]
    assert asked["cost_usd"]["value"] == pytest.approx(0.02)
    learns = what_if(log, "thompson")
    assert 0.01 < learns["cost_usd"]["value"] < 0.1


def test_probabilities_of_thompson_are_brought_back(tmp_path: Path) -> None:
    log = _served(tmp_path, ThompsonBeta(), 200)
    assert log.left_out == 0
    assert log.propensities[:50] == pytest.approx(1 / 3, abs=1e-6)  # before the first outcome all are alike
    assert len(np.unique(log.propensities[50:])) > 5


def test_turns_that_stayed_for_certain_are_left_out_and_keep_nothing_from_being_told(tmp_path: Path) -> None:
    log = _served(tmp_path, ExplorationFloor(FixedArm(0), 0.3), 500, turns=3)
    assert (len(log.chosen), log.left_out) == (500, 1000)
    assert set(log.propensities.round(9)) == {0.1, 0.8}
    assert report(log, "large")["cost_usd"]["value"] == pytest.approx(0.1)


def test_probabilities_are_those_of_the_router_that_decided(tmp_path: Path) -> None:
    """The router before stood at the same version, and had learnt that small is best."""

    async def main() -> None:
        clock = FakeClock(1e9)
        learner = open_learner(tmp_path, clock)
        await learner.begin(loaded_router(ThompsonBeta()), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        await client.feedback(_feedback(decider, client, clock))
        await learner.begin(loaded_router(ThompsonBeta(), version="2"), "suite", "test")
        client._apply(await learner.changes(client._cursor, 0.0))
        await client.feedback(_feedback(decider, client, clock))
        await client.close()
        await learner.close()

    asyncio.run(main())
    log = read_log(tmp_path, KEY)
    assert len(log.chosen) == 40
    assert log.propensities == pytest.approx(1 / 3, abs=1e-6)


def _feedback(decider: Decider, client: LearningClient, clock: FakeClock) -> list[Feedback]:
    """Of 40 decisions of one version, of which those for small were good."""
    items = []
    for _ in range(40):
        clock.advance(0.001)
        made = decider.decide(Task("t"))
        of_router = (made.arm, None, made.reason, made.epoch, made.version)
        client.note(DecisionMade(clock.now_seconds(), made.decision_id, "r", "", *of_router, None, "route"))
        items.append(Feedback(made.decision_id, float(made.arm == "small")))
    return items


def test_a_probability_that_depends_on_what_was_pending_is_known_to_nobody(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none has a probability"):
        _served(tmp_path, QualityFloor(1, 0.1), 50)


def test_a_log_without_support_is_refused(tmp_path: Path) -> None:
    log = _served(tmp_path, FixedArm(0), 100)
    with pytest.raises(UserError, match="deterministic"):
        report(log, "large")
    with pytest.raises(UserError, match="no model"):
        report(log, "huge")
