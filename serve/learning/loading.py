"""Where a router comes from: a registry, or a suite, as one text that the learner begins an epoch with.

Invariants: a suite's router begins as `krins-eval run` begins it with `replications: 1`: same arms in the same order,
same generator, and no exploration floor but the suite's own. Nothing in a `Loaded` makes anything be imported or run.
Loading takes MLflow or the tables of a suite (300 MB), so `serve.learning.fetch` does it in a process of its own; what
is imported here at the top is light. Left out: when to load (`registry`).
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from krins.errors import UserError
from krins.routing.features import FeatureMap
from krins.routing.floor import ExplorationFloor
from krins.routing.router import Router, Snapshot
from krins.routing.state_file import from_json, to_json
from krins.suite import Reward
from serve.home import SUITE

if TYPE_CHECKING:
    from krins.routing.build import Ground
    from krins.runs.plan import Plan
    from krins.suite import Suite

_FEATURES: TypeAdapter[FeatureMap] = TypeAdapter(FeatureMap)


class Loaded(BaseModel):
    """A router as it begins to serve."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Of the registered model, or the label in a suite."""
    version: str
    """In the registry; of a suite's router the beginning of its state's SHA-256."""
    router: str
    """The text of `krins.routing.state_file`."""
    features: dict[str, Any] | None = None
    """A fitted `FeatureMap`; None for a router that does not look at tasks."""
    reward: Reward
    exploration_floor: float = 0.0
    """Of the suite that a champion was tuned in."""
    is_as_suite_says: bool = False
    """Whether nothing is to be put around it."""

    @property
    def identity(self) -> str:
        return f"{self.name}/{self.version}"

    def snapshot(self, exploration_floor: float) -> Snapshot:
        """The router with its floor: its own, else its suite's, else `exploration_floor`.

        Raises:
            StateError: the text was changed, or is of another version of krins.
        """
        snapshot = from_json(self.router)
        floor = self.exploration_floor or exploration_floor
        if self.is_as_suite_says or not floor or isinstance(snapshot.policy, ExplorationFloor):
            return snapshot
        return snapshot._replace(policy=ExplorationFloor(snapshot.policy, floor))


def feature_map(features: dict[str, Any] | None) -> FeatureMap | None:
    return None if features is None else _FEATURES.validate_python(features)


def load(uri: str, tracking_uri: str | None, home: Path | None) -> Loaded:
    """
    Args:
        uri: as `serve.settings.ServiceArgs.router`.

    Raises:
        KrinsError: there is no such router, or the registry is out of reach.
    """
    if uri.startswith(SUITE):
        path, _, label = uri.removeprefix(SUITE).partition("#")
        return from_suite(Path(path), label)
    from krins.studies.champion import load_router

    champion = load_router(uri, tracking_uri, home)
    return Loaded(
        name=champion.name,
        version=champion.version,
        router=to_json(champion.router.snapshot()),
        features=None if champion.features is None else dataclasses.asdict(champion.features),
        reward=champion.reward,
        exploration_floor=champion.exploration_floor,
    )


def from_suite(path: Path, label: str) -> Loaded:
    """The router of that label, where its first replication begins.

    Raises:
        KrinsError: the suite cannot be read, or has no such router, or it asks several models a task.
    """
    import numpy as np

    from krins.router_specs import CONTEXTUAL, CascadeRouter
    from krins.runs.ground import fit_features
    from krins.runs.plan import Stream
    from krins.suite_file import load_suite

    suite = load_suite(path).model_copy(update={"replications": 1})
    labels = [router.label for router in suite.routers]
    if label not in labels:
        raise UserError(f"{path} has no router {label!r}", f"name one as suite:PATH#LABEL: {', '.join(labels)}")
    number = labels.index(label)
    entry = suite.routers[number]
    if isinstance(entry, CascadeRouter):
        raise UserError(f"{label} asks several models a task, with a simulated verifier", "serve another router")
    plan, ground, tasks = _setting(suite)
    stream = Stream(number, 0, 1)
    order = plan.schedule(stream).arms
    policy = ground.policy(entry)
    names = [ground.arm_names[arm] for arm in np.asarray(order)[0]]
    router = Router(policy, names, plan.generator(stream), state=ground.state(entry, policy, order), arrays=True)
    fitted = fit_features(suite, tasks) if isinstance(entry, CONTEXTUAL) else None
    text = to_json(router.snapshot())
    return Loaded(
        name=label,
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        router=text,
        features=None if fitted is None else dataclasses.asdict(fitted),
        reward=suite.reward,
        is_as_suite_says=True,
    )


def _setting(suite: Suite) -> tuple[Plan, Ground, Any]:
    """What the suite's routers decide on, and its tasks."""
    from krins.domain import Arm
    from krins.environments.reading import read_table
    from krins.pipeline.tasks import load_tasks, runnable
    from krins.runs.environments import recorded_setting
    from krins.runs.ground import live_ground
    from krins.runs.plan import Plan
    from krins.suite import RecordedEnvironment

    environment = suite.environment
    if isinstance(environment, RecordedEnvironment):
        setting = recorded_setting(suite, read_table(environment))
        return setting.plan, setting.player.ground, setting.table.tasks
    tasks = [coding.task for coding in runnable(load_tasks(environment))[0]]
    arms = [Arm(model.name) for model in environment.models]
    return Plan(suite, len(tasks), len(arms)), live_ground(suite, tasks, arms), tasks
