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
from krins.routing.thompson import ThompsonBeta
from serve.interfaces import DecisionMade, Feedback
from serve.learning.analysis import report, what_if
from serve.learning.log import ServedLog, read_log
from tests.serve.learning_support import KEY, connected, loaded_router, open_learner

CHANCE = {"small": 0.55, "middle": 0.56, "large": 0.57}
COST = {"small": 0.01, "middle": 0.02, "large": 0.1}


def _served(folder: Path, policy: Policy[Any], n: int) -> ServedLog:
    async def main() -> None:
        clock, rng = FakeClock(1e9), np.random.default_rng(1)
        learner = open_learner(folder, clock)
        await learner.begin(loaded_router(policy), "suite", "test")
        [(decider, client)] = await connected(learner, clock)
        for start in range(0, n, 50):
            items = []
            for _ in range(start, start + 50):
                clock.advance(0.001)
                made = decider.decide(Task("t"))
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


def test_a_log_without_support_is_refused(tmp_path: Path) -> None:
    log = _served(tmp_path, FixedArm(0), 100)
    with pytest.raises(UserError, match="deterministic"):
        report(log, "large")
    with pytest.raises(UserError, match="no model"):
        report(log, "huge")
