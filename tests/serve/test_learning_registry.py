"""A champion comes out of a real registry, by a process of its own, and another one takes over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from krins.clock import FakeClock
from krins.errors import TrackingFault
from krins.routing.floor import ExplorationFloor
from krins.routing.state_file import to_json
from krins.studies.champion import load_router
from krins.studies.publish_study import publish_study
from krins.studies.study_journal import TuneOptions
from krins.studies.tune import tune
from serve.learning.questions import Questions
from serve.learning.registry import Registry
from tests.serve.learning_support import open_learner
from tests.studies.tuning import write_tunable

NAME = "served"
URI = f"models:/{NAME}@champion"


def test_a_new_champion_takes_over_and_one_that_was_left_does_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    features = {"fields": ["category"], "length": True}
    suite = write_tunable(tmp_path, mixed=True, features=features, routers=["thompson"])

    def register(seed: int) -> None:
        found = tune(suite, seed=seed, options=TuneOptions(n_points=1, register_as=NAME), home=home)
        publish_study(home, found.study_id)

    async def main() -> None:
        learner = open_learner(home / "serving" / "learning", FakeClock(1e9), floor=0.05)
        registry = Registry(URI, None, home)
        questions = Questions(learner, registry, home)
        assert registry.moves
        with pytest.raises(TrackingFault):
            await questions.take_over("service", force=True)
        assert registry.status.startswith("out of reach")
        await asyncio.to_thread(register, 1)
        assert await questions.take_over("registry")
        current = learner.learnt.current
        assert current is not None and current.name == f"{NAME}/1"
        assert current.began.loaded.router == to_json(load_router(URI, home=home).router.snapshot())
        assert isinstance(current.router.policy, ExplorationFloor)
        # Nothing has changed there, so nobody is asked.
        asked_at = registry._asked_at_seconds
        assert not await questions.take_over("registry")
        assert registry._asked_at_seconds == asked_at
        await asyncio.to_thread(register, 2)
        assert await questions.take_over("registry")
        assert (learner.learnt.epoch, learner.learnt.current.name) == (2, f"{NAME}/2")  # type: ignore[union-attr]
        state = await questions.ask("rollback", {"who": "me", "token": "1"})
        assert (state["router"], state["epoch"], state["registry"]["left"]) == (f"{NAME}/1", 3, f"{NAME}/2")
        assert not await questions.take_over("registry", force=True)
        await learner.close()

    asyncio.run(main())
