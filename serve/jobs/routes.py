"""The HTTP side of tasks: propose and wait, queue, look, follow, cancel, retry, dead letters.

Invariants: a key sees its own tasks, and to it others' do not exist; an administrator sees all. Progress is server-sent
events, numbered, so that a client which lost the connection says Last-Event-ID and misses nothing (HTML Living
Standard, 9.2). Left out: the queue (`serve.jobs.queue`), and the work.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from serve.jobs.examples import RESULT, STATUS
from serve.jobs.idempotent import ANSWER_HEADERS, REQUEST_HEADERS, key_of
from serve.jobs.job import Job, JobEvent, JobState, News, QueueStats, Submitted
from serve.jobs.models import (
    EXAMPLE,
    EventsQuery,
    ListQuery,
    Requeue,
    Requeued,
    TaskList,
    TaskRequest,
    TaskResult,
    TaskStatus,
)
from serve.jobs.tasks import Tasks
from serve.jobs.worker import Jobs
from serve.web import Answer, Call, HeaderField, Refusal, Route, Scope

WAIT_SECONDS = 120.0
"""How long `/api/agents/propose` waits for a result, unless the caller prefers to wait less."""
_BEAT_SECONDS = 10.0
"""Between comments that keep a silent stream of events open."""
_PREFERRED = re.compile(rb"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")
_UNKNOWN = "There is no such task, or it is another key's."
_NO_ROOM = "No room in the queue or the key's budget."
_TAG = "tasks"
_PREFER = {"Prefer": HeaderField("`wait=SECONDS`: how long to wait for the result (RFC 7240, section 4.3).")}
_SINCE = {"Last-Event-ID": HeaderField("Number of the last event that was seen.", "^[0-9]{1,15}$")}
_STREAM_HEADERS = [(b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


class TaskRoutes:
    """The handlers."""

    def __init__(self, tasks: Tasks, jobs: Jobs) -> None:
        self._tasks, self._jobs = tasks, jobs

    async def propose(self, call: Call) -> Answer:
        submitted = await self._submitted(call)
        job = await self._tasks.ended(submitted.job_id, _wait_seconds(call))
        if job is None:
            return self._told(await self._job(submitted.job_id, call), 202)
        if job.state is JobState.DONE and job.result is not None:
            headers = [(b"x-krins-task-id", job.job_id.encode()), *_replayed(submitted.is_new)]
            return Answer(job.result.encode(), headers=headers)
        last = job.errors[-1].message if job.errors else "it was cancelled"
        raise Refusal(
            502 if job.state is JobState.DEAD else 409,
            f"task_{job.state}",
            f"task {job.job_id} is {job.state} after {job.attempt} attempts: {last}",
            f"see /api/tasks/{job.job_id}; a dead task is tried again by POST /api/tasks/{job.job_id}/retry",
        )

    async def submit(self, call: Call) -> Answer:
        submitted = await self._submitted(call)
        answer = self._told(await self._job(submitted.job_id, call), 202 if submitted.is_new else 200)
        answer.headers += _replayed(submitted.is_new)
        return answer

    async def look(self, call: Call) -> Answer:
        return self._told(await self._job(call.params["task_id"], call))

    async def events(self, call: Call) -> Answer:
        after = _last_seen(call)
        task_id, owner = call.params["task_id"], _owner(call)
        await self._job(task_id, call)  # refused before the stream begins
        return Answer(
            self._stream(task_id, owner, after), headers=[*_STREAM_HEADERS], content_type=b"text/event-stream"
        )

    async def cancel(self, call: Call) -> Answer:
        return self._told(await self._jobs.call("jobs", "cancel", call.params["task_id"], _owner(call)))

    async def retry(self, call: Call) -> Answer:
        return self._told(await self._tasks.retry(call.params["task_id"], _owner(call)), 202)

    async def dead_letters(self, call: Call) -> Answer:
        jobs: list[Job] = await self._jobs.call("jobs", "dead_letters", _owner(call), call.query.limit)
        return Answer.of(TaskList(tasks=[_status(job) for job in jobs]))

    async def requeue(self, call: Call) -> Answer:
        one = call.data.task_id
        ids = await self._tasks.retry_all() if one is None else [(await self._tasks.retry(one, None)).job_id]
        return Answer.of(Requeued(task_ids=ids))

    async def stats(self, call: Call) -> Answer:
        stats: QueueStats = await self._jobs.call("jobs", "stats")
        return Answer.of(stats)

    async def _submitted(self, call: Call) -> Submitted:
        key = key_of(call)
        return await self._tasks.submit(call.data, call.client, call.request_id, key.decode() if key else None)

    async def _job(self, task_id: str, call: Call) -> Job:
        job: Job = await self._jobs.call("jobs", "job", task_id, _owner(call))
        return job

    def _told(self, job: Job, status: int = 200) -> Answer:
        told = _status(job)
        answer = Answer.of(told, status)
        answer.headers.append((b"location", told.url.encode()))
        return answer

    async def _stream(self, task_id: str, owner: str | None, after: int) -> AsyncIterator[bytes]:
        while True:
            news: News = await self._jobs.until(_BEAT_SECONDS, "jobs", "news", task_id, owner, after)
            for event in news.events:
                yield _server_sent(event)
                after = event.number
            if news.has_ended:
                return
            if not news.events:
                yield b": waiting\n\n"


def routes(tasks: Tasks, jobs: Jobs) -> list[Route]:
    """The table of the task API."""
    its = TaskRoutes(tasks, jobs)
    return [*_of_new(its), *_of_all(its), *_of_one(its)]


def _of_new(its: TaskRoutes) -> list[Route]:
    posted = {
        404: "There is no such model.",
        409: "The task was cancelled.",
        422: "The idempotency key came before with another payload.",
        429: "The queue is full, or the key's budget exhausted.",
        502: "All attempts of the task failed.",
    }
    return [
        Route(
            "POST",
            "/api/agents/propose",
            its.propose,
            Scope.INFER,
            f"Do a coding task and wait for the result; after {WAIT_SECONDS:.0f} s, or `Prefer: wait=SECONDS`,"
            " 202 with the task's URL",
            _TAG,
            body=TaskRequest,
            answer=TaskResult,
            other_answers={202: TaskStatus},
            headers={**REQUEST_HEADERS, **_PREFER},
            answer_headers={"x-krins-task-id": HeaderField("For /api/tasks/{task_id}."), **ANSWER_HEADERS},
            refusals=posted,
            example=EXAMPLE,
            example_answer=RESULT,
        ),
        Route(
            "POST",
            "/api/tasks",
            its.submit,
            Scope.INFER,
            "Queue a coding task; the same Idempotency-Key, or without one the same payload, is the same task",
            _TAG,
            body=TaskRequest,
            answer=TaskStatus,
            status=202,
            other_answers={200: TaskStatus},
            headers=REQUEST_HEADERS,
            answer_headers={"location": HeaderField("Where to look at the task."), **ANSWER_HEADERS},
            refusals={status: posted[status] for status in (404, 422, 429)},
            example=EXAMPLE,
            example_answer=STATUS,
        ),
    ]


def _of_all(its: TaskRoutes) -> list[Route]:
    return [
        Route(
            "GET",
            "/api/tasks/dead-letters",
            its.dead_letters,
            Scope.INFER,
            "Tasks whose attempts all failed, latest first",
            _TAG,
            query=ListQuery,
            answer=TaskList,
            example_answer={"tasks": []},
        ),
        Route(
            "POST",
            "/api/tasks/dead-letters/requeue",
            its.requeue,
            Scope.ADMIN,
            "Queue one dead task again, or all",
            _TAG,
            body=Requeue,
            answer=Requeued,
            refusals={404: _UNKNOWN, 409: "The task is not dead.", 429: _NO_ROOM},
            example={"task_id": None},
            example_answer={"task_ids": []},
        ),
        Route(
            "GET",
            "/api/tasks/queue/stats",
            its.stats,
            Scope.INFER,
            "How many tasks there are in each state, and how fast they are done",
            _TAG,
            answer=QueueStats,
        ),
    ]


def _of_one(its: TaskRoutes) -> list[Route]:
    unknown = {404: _UNKNOWN}
    return [
        Route(
            "GET",
            "/api/tasks/{task_id}",
            its.look,
            Scope.INFER,
            "A task at this moment",
            _TAG,
            answer=TaskStatus,
            refusals=unknown,
        ),
        Route(
            "GET",
            "/api/tasks/{task_id}/events",
            its.events,
            Scope.INFER,
            "A task's progress as server-sent events, from Last-Event-ID on",
            _TAG,
            query=EventsQuery,
            headers=_SINCE,
            content_type="text/event-stream",
            streams=True,
            refusals=unknown,
        ),
        Route(
            "POST",
            "/api/tasks/{task_id}/cancel",
            its.cancel,
            Scope.INFER,
            "Take a queued task out, or ask a running one to stop",
            _TAG,
            answer=TaskStatus,
            refusals={**unknown, 409: "The task has ended already."},
        ),
        Route(
            "POST",
            "/api/tasks/{task_id}/retry",
            its.retry,
            Scope.INFER,
            "Queue a dead task again",
            _TAG,
            answer=TaskStatus,
            status=202,
            refusals={**unknown, 409: "The task is not dead.", 429: _NO_ROOM},
        ),
    ]


def _owner(call: Call) -> str | None:
    return None if Scope.ADMIN in call.client.scopes else call.client.key_id


def _status(job: Job) -> TaskStatus:
    url = f"/api/tasks/{job.job_id}"
    return TaskStatus(
        task_id=job.job_id,
        state=job.state,
        attempt=job.attempt,
        is_stopping=job.is_stopping,
        created_at_seconds=job.created_at_seconds,
        started_at_seconds=job.started_at_seconds,
        ended_at_seconds=job.ended_at_seconds,
        errors=list(job.errors),
        result=None if job.result is None else TaskResult.model_validate_json(job.result),
        url=url,
        events_url=f"{url}/events",
    )


def _replayed(is_new: bool) -> list[tuple[bytes, bytes]]:
    return [] if is_new else [(b"idempotent-replayed", b"true")]


def _wait_seconds(call: Call) -> float:
    """What `Prefer: wait=N` asks for (RFC 7240, section 4.3), within bounds."""
    preferred = _PREFERRED.search(call.headers.get(b"prefer", b""))
    return min(WAIT_SECONDS, float(preferred[1])) if preferred else WAIT_SECONDS


def _last_seen(call: Call) -> int:
    header = call.headers.get(b"last-event-id")
    if header is None:
        return int(call.query.after) if call.query is not None else 0
    if not re.fullmatch(rb"\d{1,15}", header):
        raise Refusal(400, "bad_event_id", "Last-Event-ID is no number of an event", "leave it out to see all events")
    return int(header)


def _server_sent(event: JobEvent) -> bytes:
    return f"id: {event.number}\nevent: {event.name}\ndata: {event.data}\n\n".encode()
