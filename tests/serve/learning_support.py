"""What tests of deciding and learning share: routers, a learner in this process, and a way to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from krins.clock import FakeClock
from krins.interfaces import Policy
from krins.routing.epsilon_greedy import EpsilonGreedy
from krins.routing.router import Router
from krins.routing.state_file import to_json
from krins.suite import Reward
from serve.learning.client import LearningClient
from serve.learning.decider import Decider
from serve.learning.learner import Learner
from serve.learning.loading import Loaded
from serve.learning.segments import MAX_SEGMENT_BYTES, Segments

KEY = bytes(range(32))
ARMS = ("small", "middle", "large")


class LocalLink:
    """The way to a learner in this process; `cut` makes it lose the answers of so many calls."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.cut = 0

    async def introduce(self) -> None: ...

    async def call(self, method: str, *arguments: Any) -> Any:
        if method == "note":
            self.learner.note(*arguments)
            return None
        answer = await getattr(self.learner, method)(*arguments)
        if self.cut and method == "submit":
            self.cut -= 1
            raise ConnectionError("cut off")
        return answer


def loaded_router(
    policy: Policy[Any] | None = None, *, version: str = "1", reward: Reward | None = None, seed: int = 5
) -> Loaded:
    router = Router(policy or EpsilonGreedy(0.2), ARMS, seed, arrays=True)
    return Loaded(
        name="tested",
        version=version,
        router=to_json(router.snapshot()),
        reward=reward or Reward(),
        is_as_suite_says=True,
    )


def open_learner(folder: Path, clock: FakeClock | None = None, *, max_bytes: int = MAX_SEGMENT_BYTES) -> Learner:
    segments = Segments(folder, lock_seconds=0.0, max_bytes=max_bytes)
    return Learner(segments, KEY, clock or FakeClock(1e9))


async def connected(learner: Learner, clock: FakeClock, replicas: int = 1) -> Sequence[tuple[Decider, LearningClient]]:
    """Deciders that have heard of the learner; their clients must be closed."""
    pairs = []
    for number in range(replicas):
        decider = Decider({}, clock, replica=number)
        client = LearningClient(LocalLink(learner), decider, clock)
        client._apply(await learner.changes(None, 0.0))
        pairs.append((decider, client))
    return pairs
