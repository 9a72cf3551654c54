"""A job as its queue keeps it: frozen data, and the rules it lives by.

    submitted ──> queued ──> running ──> done
                    ^ │         │ ├────> dead        (an error that no retry mends, or the last attempt's)
                    │ │         │ └────> cancelled   (asked to stop while it ran)
                    │ └─────────┼──────> cancelled
                    └───────────┘ an infrastructure fault, or the worker's lease ended: tried again after a while

Left out: how a job gets from one to the next (`serve.jobs.queue`), and its tables (`serve.jobs.tables`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from serve.web import Refusal

KEEPS_NOTHING = "storage_failed"
"""Code of the refusal of a keeper that is there, and whose disk is full or cannot be written."""


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    """All attempts failed; kept as a dead letter until somebody requeues it."""
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


class JobRules(NamedTuple):
    most_queued: int = 1_000
    most_tries: int = 5
    """Attempts before a job is dead; asking for a retry gives it as many again."""
    lease_seconds: float = 15.0
    """Without a word of its worker after which an attempt is lost."""
    backoff_seconds: float = 1.0
    """Before the second attempt at most; doubles with each one."""
    most_backoff_seconds: float = 60.0
    keep_seconds: float = 7 * 86_400.0
    """After which a done or cancelled job is forgotten, its idempotency key with it."""
    keep_dead_seconds: float = 30 * 86_400.0


class JobError(BaseModel):
    """Why an attempt failed."""

    model_config = ConfigDict(frozen=True)

    attempt: int
    at_seconds: float
    message: str


class Job(NamedTuple):
    """A job at one moment."""

    job_id: str
    key_id: str
    """Of the API key that submitted it."""
    payload: str
    state: JobState
    attempt: int
    """Of the last one, counted from 1 over its whole life; 0 before it."""
    is_stopping: bool
    """Somebody has cancelled it and its worker has not stopped yet."""
    created_at_seconds: float
    started_at_seconds: float | None
    ended_at_seconds: float | None
    available_at_seconds: float
    errors: tuple[JobError, ...]
    result: str | None


class Submitted(NamedTuple):
    job_id: str
    is_new: bool
    """False: an earlier submission had the same key and payload, and this is its job."""


class JobEvent(NamedTuple):
    number: int
    """Counts the events of one job from 1 without a gap."""
    at_seconds: float
    name: str
    data: str
    """JSON object."""


class News(NamedTuple):
    """What happened to a job after an event that somebody has seen."""

    events: tuple[JobEvent, ...]
    has_ended: bool

    def __bool__(self) -> bool:
        return bool(self.events) or self.has_ended


class QueueStats(BaseModel):
    """How the queue is doing."""

    model_config = ConfigDict(frozen=True)

    queued: int
    running: int
    done: int
    dead: int
    cancelled: int
    oldest_queued_seconds: float | None
    """Age of the first in the queue; None where it is empty."""
    done_last_minute: int
    mean_run_seconds: float | None
    """From the start of the last attempt to its end, of the last 100 that were done."""


def lease_lost(job_id: str, attempt: int) -> Refusal:
    return Refusal(
        409,
        "lease_lost",
        f"attempt {attempt} of {job_id} has no lease any more: another attempt has taken its place, or the job ended",
        "drop its result",
    )


def no_job(job_id: str) -> Refusal:
    return Refusal(
        404, "unknown_task", f"there is no task {job_id[:80]!r}", "take the id from the answer to its submission"
    )


def other_payload() -> Refusal:
    return Refusal(
        422,
        "idempotency_mismatch",
        "the same idempotency key came before with another payload",
        "take a new key for a new request",
        param="Idempotency-Key",
    )
