"""Play a recorded suite: streams one after the other in this process, or on Ray actors where that pays.

Invariant: a stream's trajectory is journalled before it counts, and what the journal holds is not played again.
Left out: actors themselves (`krins.runs.actors`) and summing up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from krins.environments.table import OutcomeTable
from krins.interfaces import FloatArray
from krins.router_specs import CascadeRouter
from krins.routing.build import Ground
from krins.runs.drawn import play_cascade
from krins.runs.ground import recorded_ground
from krins.runs.plan import Plan, Stream
from krins.runs.progress import Progress
from krins.runs.records import Decided
from krins.runs.session import Session
from krins.runs.streams import Trajectory, play_stream, recorded_results

Players = Callable[["StreamPlayer", Iterable[Stream]], Iterator[Trajectory]]


class StreamPlayer:
    """Plays streams of one plan on one table."""

    def __init__(self, plan: Plan, table: OutcomeTable) -> None:
        self.plan, self.table = plan, table

    @cached_property
    def rewards(self) -> FloatArray:
        """Shape (n_tasks, n_arms, n_samples)."""
        return self.table.rewards(self.plan.suite.reward)

    @cached_property
    def ground(self) -> Ground:
        return recorded_ground(self.plan.suite, self.table, self.rewards)

    def play(self, stream: Stream) -> Trajectory:
        router = self.plan.suite.routers[stream.router]
        if isinstance(router, CascadeRouter):
            return play_cascade(self.plan, self.table, router, stream)
        source = recorded_results(self.table, self.rewards)
        return play_stream(self.plan, stream, self.ground, source)


def play_here(player: StreamPlayer, streams: Iterable[Stream]) -> Iterator[Trajectory]:
    return map(player.play, streams)


def play_recorded(player: StreamPlayer, session: Session, players: Players, progress: Progress) -> list[Trajectory]:
    """All trajectories of the run, those from its journal and those played now.

    Raises:
        StorageFault: the journal cannot be written. WorkerFault: Ray gave up.
    """
    known = session.log.trajectories
    progress.begin("decisions", player.plan.n_decisions)
    progress.advance(sum(player.plan.n_steps * stream.n_replications for stream in known))
    trajectories = list(known.values())
    for trajectory in players(player, [stream for stream in player.plan.streams if stream not in known]):
        session.write(Decided.of(trajectory))
        trajectories.append(trajectory)
        progress.advance(trajectory.arms.size)
    return trajectories
