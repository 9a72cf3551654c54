"""A champion comes out of a real registry, by a process of its own, and another one takes over."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal
from pathlib import Path

import pytest

from krins.clock import FakeClock
from krins.domain import Task
from krins.errors import TrackingFault
from krins.routing.floor import ExplorationFloor
from krins.routing.state_file import to_json
from krins.studies.champion import load_router
from krins.studies.publish_study import publish_study
from krins.studies.study_journal import TuneOptions
from krins.studies.tune import tune
from krins.suite import LiveModel, LiveModelEntry
from serve.interfaces import Feedback
from serve.learning.aside import run_aside
from serve.learning.learnt import router_text
from serve.learning.questions import Questions
from serve.learning.registry import Registry
from serve.learning.segments import restore
from serve.learning.takeover import TakeOver
from serve.settings import ServiceArgs
from serve.web import Refusal
from tests.serve.learning_support import connected, open_learner
from tests.studies.tuning import write_tunable
from tests.support.fake_provider import ROOT

NAME = "served"
URI = f"models:/{NAME}@champion"
ARMS = [f"model-{number}" for number in range(4)]


async def _adopted(takeover: TakeOver, args: ServiceArgs) -> None:
    """However long it takes here."""
    await takeover.adopt(args)
    await takeover._tried.wait()
    await takeover.close()


def test_a_name_that_is_none_is_said_so_and_the_next_arguments_hold(tmp_path: Path) -> None:
    async def main() -> None:
        learner = open_learner(tmp_path / "serving" / "learning", FakeClock(1e9))
        names = ("smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")
        models: list[LiveModelEntry] = [LiveModel(name=name, base_url="http://127.0.0.1:9") for name in names]
        args = ServiceArgs(router="quickstart", home=tmp_path, models=models)
        for uri in (None, "http://127.0.0.1:9"):
            takeover = TakeOver(learner, args.model_copy(update={"tracking_uri": uri}))
            await asyncio.wait_for(takeover.adopt(takeover._args), 20)
            status = takeover.registry.status
            assert status.startswith("not taken over: 'quickstart' does not name a registered router; name it as")
        router = f"suite:{ROOT / 'evals' / 'quickstart.yaml'}#epsilon-greedy"
        await _adopted(takeover, args.model_copy(update={"router": router}))
        assert (takeover.registry.status, learner.learnt.epoch) == ("ok", 1)
        await learner.close()

    asyncio.run(main())


def test_a_database_has_changed_when_its_log_comes_or_goes(tmp_path: Path) -> None:
    registry = Registry(URI, f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path)
    signs = [registry._sign()]
    for name in ("mlflow.db", "mlflow.db-wal"):
        (tmp_path / name).write_text("x")
        signs.append(registry._sign())
    (tmp_path / "mlflow.db-wal").unlink()
    assert registry._sign() == signs[1]
    assert len(set(signs)) == 3


def test_what_runs_aside_ends_with_whoever_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    module = f"import os, time, pathlib; pathlib.Path({str(told)!r}).write_text(f'{{os.getpid()}}.'); time.sleep(600)"
    (tmp_path / "sleeper.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def main() -> int:
        waiting = asyncio.create_task(run_aside("sleeper"))
        while not (told.exists() and told.read_text().endswith(".")):
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return int(told.read_text()[:-1])

    with pytest.raises(ProcessLookupError):
        os.kill(asyncio.run(main()), 0)


def test_a_new_champion_takes_over_and_one_that_was_left_does_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    features = {"fields": ["category"], "length": True}
    suite = write_tunable(tmp_path, mixed=True, features=features, routers=["thompson"])

    def register(seed: int) -> None:
        found = tune(suite, seed=seed, options=TuneOptions(n_points=1, register_as=NAME), home=home)
        publish_study(home, found.study_id)

    async def main() -> None:
        learner = open_learner(home / "serving" / "learning", FakeClock(1e9))
        models: list[LiveModelEntry] = [LiveModel(name=arm, base_url="http://127.0.0.1:9") for arm in ARMS]
        args = ServiceArgs(router=URI, home=home, models=models[1:])
        takeover = TakeOver(learner, args)
        questions = Questions(learner, takeover, home)
        registry = takeover.registry
        assert registry.moves
        with pytest.raises(TrackingFault):
            await takeover.look("service", force=True)
        assert registry.status.startswith("out of reach")
        await asyncio.to_thread(register, 1)
        # One of its arms nobody knows how to ask: what serves goes on, and it is said why.
        with pytest.raises(Refusal) as refused:
            await questions.ask("check", {"who": "me", "token": "0"})
        assert (refused.value.status, refused.value.code) == (409, "router_refused")
        status = (await questions.ask("state", {}))["registry"]["status"]
        assert status.startswith("not taken over: served/1 has arms that cannot be asked: model ")
        assert ARMS[0] in status and status.endswith("name each under `models` and deploy again")
        assert learner.learnt.current is None
        asked_at = registry._asked_at_seconds
        assert not await takeover.look("registry")
        assert registry._asked_at_seconds == asked_at, "it is not loaded again before something changes"
        # The next deployment says how, and it is taken over.
        await _adopted(takeover, args.model_copy(update={"models": models}))
        registry = takeover.registry
        current = learner.learnt.current
        assert current is not None and current.name == f"{NAME}/1"
        assert current.began.loaded.router == to_json(load_router(URI, home=home).router.snapshot())
        assert isinstance(current.router.policy, ExplorationFloor) and current.router.policy.floor == 0.05
        # Nothing has changed there, so nobody is asked.
        asked_at = registry._asked_at_seconds
        assert not await takeover.look("registry")
        assert registry._asked_at_seconds == asked_at
        await asyncio.to_thread(register, 2)
        assert await takeover.look("registry")
        assert (learner.learnt.epoch, learner.learnt.current.name) == (2, f"{NAME}/2")
        state = await questions.ask("rollback", {"who": "me", "token": "1"})
        assert (state["router"], state["epoch"], state["registry"]["left"]) == (f"{NAME}/1", 3, f"{NAME}/2")
        assert not await takeover.look("registry", force=True)
        # Another floor: the same router goes on as it stands, and what it may be rolled back to stays.
        [(decider, client)] = await connected(learner, FakeClock(1e9))
        decided = decider.decide(Task("t", prompt="Mend it", category="backend"))
        await client.feedback([Feedback(decided.decision_id, 1.0, Decimal("0.001"))])
        before = learner.learnt.current.router.snapshot()
        former = learner.learnt.former
        await _adopted(takeover, args.model_copy(update={"models": models, "exploration_floor": 0.3}))
        after = learner.learnt.current.router.snapshot()
        assert (learner.learnt.epoch, learner.learnt.former) == (4, former)
        assert (before.policy.floor, after.policy.floor) == (0.05, 0.3)
        assert to_json(after._replace(policy=before.policy)) == to_json(before)
        assert learner.learnt.ignored == f"{NAME}/2", "that it was left is not forgotten"
        again = restore(home / "serving" / "learning", learner.ids).learnt
        assert router_text(again) == router_text(learner.learnt)
        # Another router is asked for: a new epoch, even with one that was left.
        await _adopted(takeover, args.model_copy(update={"models": models, "router": f"models:/{NAME}/2"}))
        assert (learner.learnt.epoch, learner.learnt.current.name) == (5, f"{NAME}/2")
        await client.close()
        await learner.close()

    asyncio.run(main())
