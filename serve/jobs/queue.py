"""A durable queue of jobs, first in, first out.

Whoever takes a job holds a lease and renews it; the number of its attempt is a fence, so that a worker which was given
up cannot record anything any more (Kleppmann, "How to do distributed locking", 2016). An infrastructure fault, or a
lease that ends, puts the job back after an exponential backoff with full jitter (Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015); after the last attempt it is a dead letter with all its errors.
Invariants: a submission with the same key and payload is the same job for as long as that is kept; every job ends in
exactly one of done, dead, cancelled, once, and leaves `dead` only when somebody asks for that; its events are numbered
without a gap. Each method is one transaction of the keeper's. A caller sees its own jobs, an owner of None all.
Times are the system's clock, since leases outlive processes. Left out: priorities, and what jobs do.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Mapping
from typing import Any

import orjson

from krins.interfaces import Clock
from serve.jobs.job import (
    Job,
    JobError,
    JobEvent,
    JobRules,
    JobState,
    News,
    QueueStats,
    Submitted,
    lease_lost,
    no_job,
    other_payload,
)
from serve.jobs.tables import COLUMNS, SCHEMA, count, errors_of, job_of, prune, stats_of
from serve.web import Refusal

_RULES = JobRules()


class JobQueue:
    """The tables of jobs and their events."""

    def __init__(
        self, connection: sqlite3.Connection, clock: Clock, rng: random.Random, rules: JobRules = _RULES
    ) -> None:
        self._db, self._clock, self._rng, self._rules = connection, clock, rng, rules
        connection.executescript(SCHEMA)

    def submit(self, job_id: str, payload: str, payload_sha256: str, idempotency_key: str, key_id: str) -> Submitted:
        """Queue a job under a new `job_id`, or find the one that the same key and payload made.

        Said again, because the answer was lost, it says the same.

        Raises:
            Refusal: 422 the key came with another payload, 429 the queue is full.
        """
        known = self.find(key_id, idempotency_key, payload_sha256)
        if known is not None:
            return Submitted(known, is_new=known == job_id)
        self._require_room()
        prune(self._db, self._clock.now_seconds(), self._rules)
        now = self._clock.now_seconds()
        self._db.execute(
            "INSERT INTO jobs(job_id, key_id, idempotency_key, payload_sha256, payload, state, created_at, "
            "available_at) VALUES (?, ?, ?, ?, ?, 'queued', ?, ?)",
            (job_id, key_id, idempotency_key, payload_sha256, payload, now, now),
        )
        self._tell(job_id, "queued")
        return Submitted(job_id, is_new=True)

    def find(self, key_id: str, idempotency_key: str, payload_sha256: str) -> str | None:
        """The job that was submitted so.

        Raises:
            Refusal: 422 the key came with another payload.
        """
        row = self._db.execute(
            "SELECT job_id, payload_sha256 FROM jobs WHERE key_id = ? AND idempotency_key = ?",
            (key_id, idempotency_key),
        ).fetchone()
        if row is not None and row[1] != payload_sha256:
            raise other_payload()
        return None if row is None else str(row[0])

    def take(self) -> Job | None:
        """Begin an attempt at the first job that is due."""
        self._expire()
        now = self._clock.now_seconds()
        row = self._db.execute(
            "SELECT job_id FROM jobs WHERE state = 'queued' AND available_at <= ? ORDER BY number LIMIT 1", (now,)
        ).fetchone()
        if row is None:
            return None
        self._db.execute(
            "UPDATE jobs SET state = 'running', attempt = attempt + 1, tries = tries + 1, started_at = ?, "
            "lease_until = ? WHERE job_id = ?",
            (now, now + self._rules.lease_seconds, row[0]),
        )
        job = self._job(row[0])
        self._tell(job.job_id, "running", {"attempt": job.attempt})
        return job

    def heartbeat(self, job_id: str, attempt: int) -> bool:
        """Renew a lease; whether the attempt is asked to stop.

        Raises:
            Refusal: 409 `lease_lost`.
        """
        job = self._held(job_id, attempt)
        until = self._clock.now_seconds() + self._rules.lease_seconds
        self._db.execute("UPDATE jobs SET lease_until = ? WHERE job_id = ?", (until, job_id))
        return job.is_stopping

    def progress(self, job_id: str, attempt: int, name: str, data: Mapping[str, Any]) -> None:
        """Tell what an attempt is doing. Raises as `heartbeat`."""
        self._held(job_id, attempt)
        self._tell(job_id, name, data)

    def finish(self, job_id: str, attempt: int, result: str) -> None:
        """The attempt has come to a result (JSON); saying it again changes nothing. Raises as `heartbeat`."""
        if not self._was_told(job_id, attempt, JobState.DONE):
            self._held(job_id, attempt)
            self._end(job_id, JobState.DONE, result)

    def stopped(self, job_id: str, attempt: int) -> None:
        """The attempt has stopped as it was asked to. Raises as `heartbeat`."""
        if not self._was_told(job_id, attempt, JobState.CANCELLED):
            self._held(job_id, attempt)
            self._end(job_id, JobState.CANCELLED)

    def fail(self, job_id: str, attempt: int, message: str, is_retryable: bool) -> None:
        """The attempt has failed; saying it again changes nothing. Raises as `heartbeat`."""
        row = self._db.execute("SELECT errors FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
        if row is None or all(error.attempt != attempt for error in errors_of(row[0])):
            is_stopping = self._held(job_id, attempt).is_stopping
            if is_stopping:
                self._end(job_id, JobState.CANCELLED)
            else:
                self._failed(job_id, attempt, message, is_retryable)

    def cancel(self, job_id: str, owner: str | None) -> Job:
        """Take a queued job out, or ask a running one to stop.

        Raises:
            Refusal: 404, or 409 it has ended in another way.
        """
        job = self.job(job_id, owner)
        if job.state is JobState.QUEUED:
            self._end(job_id, JobState.CANCELLED)
        elif job.state is JobState.RUNNING and not job.is_stopping:
            self._db.execute("UPDATE jobs SET is_stopping = 1 WHERE job_id = ?", (job_id,))
            self._tell(job_id, "stopping")
        elif job.state in (JobState.DONE, JobState.DEAD):
            raise Refusal(409, "task_ended", f"the task is {job.state} already", "there is nothing left to cancel")
        return self._job(job_id)

    def retry(self, job_id: str, owner: str | None) -> Job:
        """Queue a dead job again, behind all others, with as many attempts as a new one.

        Raises:
            Refusal: 404, 409 it is not dead, or 429 the queue is full.
        """
        job = self.job(job_id, owner)
        if job.state is not JobState.DEAD:
            raise Refusal(409, "task_not_dead", f"the task is {job.state}", "only dead tasks can be tried again")
        self._require_room()
        self._db.execute(
            "UPDATE jobs SET state = 'queued', tries = 0, is_stopping = 0, ended_at = NULL, available_at = ?, "
            "number = (SELECT max(number) + 1 FROM jobs) WHERE job_id = ?",
            (self._clock.now_seconds(), job_id),
        )
        self._tell(job_id, "requeued")
        return self._job(job_id)

    def job(self, job_id: str, owner: str | None) -> Job:
        """
        Raises:
            Refusal: 404 there is none, or it is somebody else's.
        """
        self._expire()
        job = self._job(job_id)
        if owner is not None and job.key_id != owner:
            raise no_job(job_id)
        return job

    def news(self, job_id: str, owner: str | None, after: int) -> News:
        """Events after number `after`. Raises as `job`."""
        job = self.job(job_id, owner)
        rows = self._db.execute(
            "SELECT number, at, name, data FROM job_events WHERE job_id = ? AND number > ? ORDER BY number",
            (job_id, after),
        )
        return News(tuple(JobEvent(*row) for row in rows), job.state.has_ended)

    def ended(self, job_id: str) -> Job | None:
        """The job, if it has ended. Raises as `job`."""
        job = self.job(job_id, None)
        return job if job.state.has_ended else None

    def dead_letters(self, owner: str | None, most: int) -> list[Job]:
        """The latest dead jobs, latest first."""
        self._expire()
        rows = self._db.execute(
            f"SELECT {COLUMNS} FROM jobs WHERE state = 'dead' AND (? IS NULL OR key_id = ?) "
            "ORDER BY ended_at DESC, number DESC LIMIT ?",
            (owner, owner, most),
        )
        return [job_of(row) for row in rows]

    def stats(self) -> QueueStats:
        self._expire()
        return stats_of(self._db, self._clock.now_seconds())

    def _job(self, job_id: str) -> Job:
        row = self._db.execute(f"SELECT {COLUMNS} FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
        if row is None:
            raise no_job(job_id)
        return job_of(row)

    def _held(self, job_id: str, attempt: int) -> Job:
        self._expire()
        job = self._job(job_id)
        if job.state is not JobState.RUNNING or job.attempt != attempt:
            raise lease_lost(job_id, attempt)
        return job

    def _was_told(self, job_id: str, attempt: int, end: JobState) -> bool:
        job = self._job(job_id)
        return job.state is end and job.attempt == attempt

    def _expire(self) -> None:
        """Give up attempts whose worker has not been heard of."""
        rows = self._db.execute(
            "SELECT job_id, attempt, is_stopping FROM jobs WHERE state = 'running' AND lease_until <= ?",
            (self._clock.now_seconds(),),
        )
        for job_id, attempt, is_stopping in rows.fetchall():
            if is_stopping:
                self._end(job_id, JobState.CANCELLED)
            else:
                self._failed(job_id, attempt, "its worker died or was cut off: the lease has ended", is_retryable=True)

    def _failed(self, job_id: str, attempt: int, message: str, is_retryable: bool) -> None:
        now, rules = self._clock.now_seconds(), self._rules
        errors, tries = self._db.execute("SELECT errors, tries FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
        error = JobError(attempt=attempt, at_seconds=now, message=message)
        history = orjson.dumps([one.model_dump() for one in (*errors_of(errors), error)]).decode()
        self._db.execute("UPDATE jobs SET errors = ? WHERE job_id = ?", (history, job_id))
        if not is_retryable or tries >= rules.most_tries:
            self._end(job_id, JobState.DEAD)
            return
        most = min(rules.most_backoff_seconds, rules.backoff_seconds * 2.0 ** (tries - 1))
        wait = self._rng.uniform(0.0, most)
        self._db.execute(
            "UPDATE jobs SET state = 'queued', lease_until = NULL, available_at = ? WHERE job_id = ?",
            (now + wait, job_id),
        )
        self._tell(job_id, "retrying", {"attempt": attempt, "error": message, "wait_seconds": round(wait, 3)})

    def _end(self, job_id: str, state: JobState, result: str | None = None) -> None:
        self._db.execute(
            "UPDATE jobs SET state = ?, ended_at = ?, lease_until = NULL, is_stopping = 0, result = ? WHERE job_id = ?",
            (state.value, self._clock.now_seconds(), result, job_id),
        )
        self._tell(job_id, state.value)

    def _tell(self, job_id: str, name: str, data: Mapping[str, Any] | None = None) -> None:
        self._db.execute(
            "INSERT INTO job_events(job_id, number, at, name, data) VALUES (?, "
            "(SELECT coalesce(max(number), 0) + 1 FROM job_events WHERE job_id = ?), ?, ?, ?)",
            (job_id, job_id, self._clock.now_seconds(), name, orjson.dumps(data or {}).decode()),
        )

    def _require_room(self) -> None:
        most = self._rules.most_queued
        if count(self._db, JobState.QUEUED) >= most:
            a_job = self.stats().mean_run_seconds or 1.0
            raise Refusal(
                429,
                "queue_full",
                f"{most:,} tasks are queued, which is the most",
                "wait for some to end",
                retry_after_seconds=max(1.0, a_job),
            )
