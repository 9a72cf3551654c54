"""The tables of jobs and their events: what rows say, what they come to in sum, and which are forgotten.

Left out: how a job gets from one state to the next (`serve.jobs.queue`).
"""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson

from serve.jobs.job import Job, JobError, JobRules, JobState, QueueStats

_PRUNED_AT_ONCE = 20
_MEAN_OF = 100

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL UNIQUE, key_id TEXT NOT NULL,
  idempotency_key TEXT NOT NULL, payload_sha256 TEXT NOT NULL, payload TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('queued', 'running', 'done', 'dead', 'cancelled')),
  attempt INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, is_stopping INTEGER NOT NULL DEFAULT 0,
  created_at REAL NOT NULL, available_at REAL NOT NULL, started_at REAL, ended_at REAL, lease_until REAL,
  errors TEXT NOT NULL DEFAULT '[]', result TEXT,
  UNIQUE(key_id, idempotency_key));
CREATE INDEX IF NOT EXISTS jobs_waiting ON jobs(state, number);
CREATE INDEX IF NOT EXISTS jobs_ended ON jobs(state, ended_at);
CREATE TABLE IF NOT EXISTS job_events(
  job_id TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, name TEXT NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY(job_id, number)) WITHOUT ROWID;
"""

COLUMNS = """job_id, key_id, payload, state, attempt, is_stopping, created_at, started_at, ended_at, available_at,
errors, result"""


def job_of(row: tuple[Any, ...]) -> Job:
    """From a row of `COLUMNS`."""
    job_id, key_id, payload, state, attempt, is_stopping, *times, errors, result = row
    created, started, ended, available = times
    return Job(
        job_id,
        key_id,
        payload,
        JobState(state),
        attempt,
        bool(is_stopping),
        created,
        started,
        ended,
        available,
        errors_of(errors),
        result,
    )


def errors_of(text: str) -> tuple[JobError, ...]:
    return tuple(JobError.model_validate(one) for one in orjson.loads(text))


def count(db: sqlite3.Connection, state: JobState) -> int:
    (number,) = db.execute("SELECT count(*) FROM jobs WHERE state = ?", (state.value,)).fetchone()
    return int(number)


def stats_of(db: sqlite3.Connection, now_seconds: float) -> QueueStats:
    counts = {state.value: count(db, state) for state in JobState}
    (oldest,) = db.execute("SELECT min(created_at) FROM jobs WHERE state = 'queued'").fetchone()
    (lately,) = db.execute(
        "SELECT count(*) FROM jobs WHERE state = 'done' AND ended_at > ?", (now_seconds - 60.0,)
    ).fetchone()
    (mean,) = db.execute(
        "SELECT avg(ended_at - started_at) FROM (SELECT ended_at, started_at FROM jobs WHERE state = 'done' "
        "ORDER BY ended_at DESC LIMIT ?)",
        (_MEAN_OF,),
    ).fetchone()
    age = None if oldest is None else max(0.0, now_seconds - oldest)
    return QueueStats(**counts, oldest_queued_seconds=age, done_last_minute=lately, mean_run_seconds=mean)


def prune(db: sqlite3.Connection, now_seconds: float, rules: JobRules) -> None:
    """Forget what ended long ago: a few at a time, with each submission."""
    for state, keep_seconds in (
        (JobState.DONE, rules.keep_seconds),
        (JobState.CANCELLED, rules.keep_seconds),
        (JobState.DEAD, rules.keep_dead_seconds),
    ):
        rows = db.execute(
            "SELECT job_id FROM jobs WHERE state = ? AND ended_at < ? LIMIT ?",
            (state.value, now_seconds - keep_seconds, _PRUNED_AT_ONCE),
        )
        for row in rows.fetchall():
            db.execute("DELETE FROM job_events WHERE job_id = ?", row)
            db.execute("DELETE FROM jobs WHERE job_id = ?", row)
