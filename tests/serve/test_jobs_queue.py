"""The job queue: hand-made lives of jobs, and any sequence of calls against a model of it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from krins.clock import FakeClock
from serve.jobs.job import Job, JobRules, JobState
from serve.jobs.queue import JobQueue
from serve.web import Refusal

RULES = JobRules(most_queued=4, most_tries=3, lease_seconds=10.0, backoff_seconds=2.0, most_backoff_seconds=3.0)
START = 1_000.0


@dataclass
class World:
    clock: FakeClock = field(default_factory=lambda: FakeClock(START))
    db: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", isolation_level=None))
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.queue = JobQueue(self.db, self.clock, random.Random(7), RULES)

    def submit(self, name: str = "a", payload: str = "{}", owner: str = "me") -> str:
        return self.queue.submit(self.new_id(), payload, f"sha of {payload}", name, owner).job_id

    def new_id(self) -> str:
        return f"task_{next(self.numbers)}"

    def take(self) -> Job:
        job = self.queue.take()
        assert job is not None
        return job

    def state(self, job_id: str) -> JobState:
        return self.queue.job(job_id, None).state

    def events(self, job_id: str) -> list[tuple[int, str]]:
        return [(event.number, event.name) for event in self.queue.news(job_id, None, 0).events]


def refused(status: int, code: str) -> Any:
    return pytest.raises(Refusal, check=lambda refusal: (refusal.status, refusal.code) == (status, code))


def test_a_job_goes_from_the_queue_to_done_and_every_step_is_told_in_order() -> None:
    world = World()
    job_id = world.submit(payload='{"x":1}')
    job = world.take()
    assert (job.job_id, job.payload, job.attempt, job.state) == (job_id, '{"x":1}', 1, "running")
    world.queue.progress(job_id, 1, "proposing", {"round": 0})
    world.queue.finish(job_id, 1, '{"y":2}')
    world.queue.finish(job_id, 1, '{"y":2}')  # its answer was lost, and it is said again
    ended = world.queue.ended(job_id)
    assert ended is not None
    assert (ended.state, ended.result, ended.errors) == ("done", '{"y":2}', ())
    assert world.events(job_id) == [(1, "queued"), (2, "running"), (3, "proposing"), (4, "done")]
    news = world.queue.news(job_id, None, 2)
    assert ([event.number for event in news.events], news.has_ended) == ([3, 4], True)
    assert world.queue.take() is None


def test_jobs_are_taken_first_in_first_out() -> None:
    world = World()
    ids = [world.submit(name) for name in "abc"]
    assert [world.take().job_id for _ in ids] == ids


def test_the_same_key_and_payload_is_the_same_job_and_another_payload_is_refused() -> None:
    world = World()
    first = world.queue.submit("task_1", "{}", "1", "key", "me")
    again = world.queue.submit("task_2", "{}", "1", "key", "me")
    assert (first, again) == (("task_1", True), ("task_1", False))
    assert world.queue.submit("task_1", "{}", "1", "key", "me") == first, "its answer was lost, and it is said again"
    assert world.events("task_1") == [(1, "queued")]
    with refused(422, "idempotency_mismatch"):
        world.queue.submit("task_3", "[]", "2", "key", "me")
    other = world.queue.submit("task_3", "[]", "2", "key", "you")
    assert other.is_new, "keys of several clients have nothing to do with each other"


def test_infrastructure_faults_are_tried_again_with_full_jitter_and_end_as_a_dead_letter_with_all_errors() -> None:
    world = World()
    job_id = world.submit()
    for attempt, most_wait in ((1, 2.0), (2, 3.0)):
        assert world.take().attempt == attempt
        world.queue.fail(job_id, attempt, f"fault {attempt}", True)
        world.queue.fail(job_id, attempt, f"fault {attempt}", True)
        job = world.queue.job(job_id, None)
        assert job.state == "queued"
        wait = job.available_at_seconds - world.clock.now_seconds()
        assert 0.0 <= wait <= most_wait
        if wait > 0.01:
            world.clock.advance(wait - 0.01)
            assert world.queue.take() is None, "it is not due yet"
        world.clock.advance(0.02)
    world.take()
    world.queue.fail(job_id, 3, "fault 3", True)
    [dead] = world.queue.dead_letters("me", 10)
    assert [(error.attempt, error.message) for error in dead.errors] == [(n, f"fault {n}") for n in (1, 2, 3)]
    assert world.queue.dead_letters("you", 10) == []
    world.queue.retry(job_id, "me")
    assert world.take().attempt == 4, "numbers of attempts never repeat: they are what fences"
    world.queue.fail(job_id, 4, "nothing mends it", False)
    assert world.state(job_id) == "dead"
    assert world.queue.retry(job_id, None).state == "queued"


def test_waits_spread_over_all_of_the_interval() -> None:
    world, waits = World(), []
    for number in range(200):
        job_id = world.submit(str(number))
        world.take()
        world.queue.fail(job_id, 1, "", True)
        waits.append(world.queue.job(job_id, None).available_at_seconds - world.clock.now_seconds())
        world.queue.cancel(job_id, None)
    assert min(waits) < 0.1 and max(waits) > 1.9 and 0.8 < sum(waits) / 200 < 1.2


def test_a_worker_that_is_not_heard_of_loses_its_lease_and_its_result_is_refused() -> None:
    world = World()
    job_id = world.submit()
    world.take()
    world.clock.advance(9.0)
    assert world.queue.heartbeat(job_id, 1) is False
    world.clock.advance(9.0)
    assert world.state(job_id) == "running"
    world.clock.advance(1.0)
    with refused(409, "lease_lost"):  # over, though nobody has taken it yet
        world.queue.finish(job_id, 1, "{}")
    world.clock.advance(RULES.most_backoff_seconds)
    world.queue.stats()
    world.clock.advance(RULES.most_backoff_seconds)
    assert world.take().attempt == 2
    for said in (
        lambda: world.queue.finish(job_id, 1, "{}"),
        lambda: world.queue.heartbeat(job_id, 1),
        lambda: world.queue.progress(job_id, 1, "x", {}),
        lambda: world.queue.stopped(job_id, 1),
    ):
        with refused(409, "lease_lost"):
            said()
    world.queue.finish(job_id, 2, '"second"')
    job = world.queue.job(job_id, None)
    assert (job.result, [error.attempt for error in job.errors]) == ('"second"', [1])


def test_cancelling_takes_a_queued_job_out_at_once_and_asks_a_running_one_to_stop() -> None:
    world = World()
    queued, running, lost = (world.submit(name) for name in "abc")
    world.queue.cancel(queued, "me")
    assert world.state(queued) == "cancelled"
    world.queue.cancel(queued, "me")
    world.take(), world.take()
    assert world.queue.cancel(running, "me").is_stopping
    assert world.queue.heartbeat(running, 1) is True
    world.queue.stopped(running, 1)
    world.queue.cancel(lost, "me")
    world.clock.advance(10.0)
    assert [world.state(job) for job in (running, lost)] == ["cancelled", "cancelled"]
    done = world.submit("d")
    world.take()
    world.queue.finish(done, 1, "{}")
    with refused(409, "task_ended"):
        world.queue.cancel(done, "me")
    with refused(409, "task_not_dead"):
        world.queue.retry(done, "me")


def test_a_failure_of_what_was_cancelled_is_not_tried_again() -> None:
    world = World()
    job_id = world.submit()
    world.take()
    world.queue.cancel(job_id, None)
    world.queue.fail(job_id, 1, "reset", True)
    assert world.state(job_id) == "cancelled"


def test_what_is_anothers_does_not_exist_but_for_an_administrator() -> None:
    world = World()
    job_id = world.submit(owner="me")
    for ask in (world.queue.job, world.queue.cancel, world.queue.retry):
        with refused(404, "unknown_task"):
            ask(job_id, "you")
    with refused(404, "unknown_task"):
        world.queue.news(job_id, "you", 0)
    assert world.queue.job(job_id, None).key_id == "me"


def test_a_full_queue_says_when_to_come_back() -> None:
    world = World()
    first = world.submit("first")
    world.take()
    world.clock.advance(6.0)
    world.queue.finish(first, 1, "{}")
    for number in range(RULES.most_queued):
        world.submit(str(number))
    with pytest.raises(Refusal) as refusal:
        world.submit("more")
    assert (refusal.value.status, refusal.value.code, refusal.value.retry_after_seconds) == (429, "queue_full", 6.0)
    assert world.queue.submit("task_x", "{}", "sha of {}", "0", "me").is_new is False, "what is known takes no room"


def test_stats_count_by_state_and_tell_age_and_throughput() -> None:
    world = World()
    first = world.submit("a")
    world.take()
    world.clock.advance(4.0)
    world.queue.finish(first, 1, "{}")
    world.submit("b")
    world.clock.advance(5.0)
    stats = world.queue.stats()
    assert (stats.queued, stats.running, stats.done, stats.dead, stats.cancelled) == (1, 0, 1, 0, 0)
    assert (stats.oldest_queued_seconds, stats.done_last_minute, stats.mean_run_seconds) == (5.0, 1, 4.0)
    world.clock.advance(60.0)
    assert world.queue.stats().done_last_minute == 0


def test_old_jobs_are_forgotten_with_their_keys_and_dead_ones_later() -> None:
    world = World()
    done, dead = world.submit("done"), world.submit("dead")
    world.take(), world.take()
    world.queue.finish(done, 1, "{}")
    world.queue.fail(dead, 1, "", False)
    world.clock.advance(RULES.keep_seconds + 1.0)
    world.submit("new")
    with refused(404, "unknown_task"):
        world.queue.job(done, None)
    assert world.state(dead) == "dead"
    assert world.queue.submit("task_x", "other", "1", "done", "me").is_new
    world.clock.advance(RULES.keep_dead_seconds)
    world.submit("newer")
    with refused(404, "unknown_task"):
        world.queue.job(dead, None)
    assert world.db.execute("SELECT count(*) FROM job_events WHERE job_id IN (?, ?)", (done, dead)).fetchone() == (0,)


class Lives(RuleBasedStateMachine):
    """Any calls in any order, by workers that may be late, beside what must hold of each job."""

    jobs = Bundle("jobs")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.known: dict[tuple[str, str], str] = {}
        self.ends: dict[str, str] = {}
        self.results: dict[str, str] = {}

    @rule(target=jobs, name=st.sampled_from("abcdef"), payload=st.sampled_from(["{}", "[]"]))
    def submit(self, name: str, payload: str) -> str:
        others = [key for key in self.known if key[0] == name and key[1] != payload]
        try:
            submitted = self.world.queue.submit(self.world.new_id(), payload, payload, name, "me")
        except Refusal as refusal:
            assert (refusal.code == "idempotency_mismatch") == bool(others)
            if refusal.code == "queue_full":
                assert self.world.queue.stats().queued >= RULES.most_queued
            return "none"
        assert not others
        assert submitted.is_new == ((name, payload) not in self.known)
        assert self.known.setdefault((name, payload), submitted.job_id) == submitted.job_id
        return submitted.job_id

    @rule(target=held)
    def take(self) -> tuple[str, int]:
        job = self.world.queue.take()
        return ("none", 0) if job is None else (job.job_id, job.attempt)

    @rule(attempt=consumes(held), how=st.sampled_from(["finish", "fail", "mend", "stopped"]))
    def end(self, attempt: tuple[str, int], how: str) -> None:
        job_id, number = attempt
        queue = self.world.queue
        try:
            before = queue.job(job_id, None)
            if how == "finish":
                queue.finish(job_id, number, f'"{number}"')
            elif how == "stopped":
                queue.stopped(job_id, number)
            else:
                queue.fail(job_id, number, how, is_retryable=how == "fail")
        except Refusal as refusal:
            assert refusal.code in ("lease_lost", "unknown_task")
            return
        is_held = before.state is JobState.RUNNING and before.attempt == number
        was_cancelled = before.state is JobState.CANCELLED and before.attempt == number
        was_told = any(error.attempt == number for error in before.errors)
        assert is_held or (was_cancelled if how == "stopped" else was_told and how != "finish")
        if how == "finish":
            assert job_id not in self.results
            self.results[job_id] = f'"{number}"'

    @rule(attempt=held)
    def beat(self, attempt: tuple[str, int]) -> None:
        try:
            self.world.queue.heartbeat(*attempt)
        except Refusal as refusal:
            assert refusal.code in ("lease_lost", "unknown_task")

    @rule(job_id=jobs, what=st.sampled_from(["cancel", "retry"]))
    def ask(self, job_id: str, what: str) -> None:
        try:
            before = self.world.state(job_id)
            getattr(self.world.queue, what)(job_id, "me")
        except Refusal as refusal:
            assert refusal.code in ("unknown_task", "task_ended", "task_not_dead", "queue_full")
            return
        if what == "retry":
            assert before is JobState.DEAD
            self.ends.pop(job_id, None)

    @rule(seconds=st.floats(0.0, 15.0))
    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    @invariant()
    def every_job_ends_once_and_its_events_have_no_gap(self) -> None:
        for job_id in self.known.values():
            job = self.world.queue.job(job_id, None)
            names = [name for _, name in self.world.events(job_id)]
            assert [number for number, _ in self.world.events(job_id)] == list(range(1, len(names) + 1))
            life = names[max(i for i, name in enumerate(names) if name in ("queued", "requeued")) :]
            ends = [name for name in life if name in ("done", "dead", "cancelled")]
            assert ends == ([job.state.value] if job.state.has_ended else [])
            if job_id in self.ends:
                assert self.ends[job_id] == job.state
            if job.state.has_ended:
                self.ends[job_id] = job.state
            assert job.result == self.results.get(job_id)
            assert life.count("running") <= RULES.most_tries


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
