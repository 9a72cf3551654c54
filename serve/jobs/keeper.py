"""The keeper's books: one SQLite file that several parts share, each with tables of its own.

Calls are carried out in the order in which they come. Those that arrive while the disk is busy become one transaction
and share its sync; each is a savepoint in it, so that one which is refused takes nothing of the others with it.
Invariants: a call answers only after what it wrote is on the disk (write-ahead log, synchronous=FULL); one process
writes the file, which holds the lock beside it; a call that could not be kept, for want of room or rights, has changed
nothing and says so, and the next one opens the file anew, so that the keeper heals when there is room again.
Left out: what the parts keep (`serve.jobs.queue`, `serve.jobs.claims`, `serve.security.budgets`), and the actor around
it (`serve.jobs.actor`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from krins.errors import StorageFault, boundary

Parts = Mapping[str, Callable[[sqlite3.Connection], Any]]
"""By name: what makes a part, its tables included where they are not there yet."""
_REMEDY = "free some disk space, or see to the rights of the folder; nothing that was acknowledged is lost"
_LOOK_AGAIN_SECONDS = 1.0
"""Time alone can make a call succeed: a lease that ends, a retry that comes due."""


class _Waiting(NamedTuple):
    part: str
    method: str
    arguments: Sequence[Any]
    answer: asyncio.Future[Any]


class Keeper:
    """One file, one connection. Used from one event loop."""

    def __init__(self, path: Path, parts: Parts) -> None:
        """Nothing is opened before the first call, so that a full disk is an answer and no crash."""
        self._path, self._makers = path, parts
        # Not by thread: each group is written in whichever thread is free.
        self._lock = FileLock(f"{path}.lock", thread_local=False)
        self._connection: sqlite3.Connection | None = None
        self._parts: dict[str, Any] = {}
        self._waiting: list[_Waiting] = []
        self._committing: asyncio.Task[None] | None = None
        self._changes: dict[str, asyncio.Event] = {name: asyncio.Event() for name in parts}

    async def call(self, part: str, method: str, *arguments: Any) -> Any:
        """What the part's method returns, once it is durable.

        Raises:
            StorageFault: it could not be kept, and has changed nothing.
            Exception: whatever the method raised, which has changed nothing either.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(part, method, arguments, answer))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        return await answer

    async def until(self, seconds: float, part: str, method: str, *arguments: Any) -> Any:
        """Call again whenever the part has changed, until the answer is true or `seconds` are over; the last answer."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            changed = self._changes[part]
            answer = await self.call(part, method, *arguments)
            left = end - loop.time()
            if answer or left <= 0:
                return answer
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(left, _LOOK_AGAIN_SECONDS))

    async def close(self) -> None:
        while self._committing is not None:
            await self._committing
        self._close()
        self._lock.release()

    async def _commit(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                answers, changed = await asyncio.to_thread(self._carry_out, group)
                for waiting, answer in zip(group, answers, strict=True):
                    if not waiting.answer.done():
                        _settle(waiting.answer, answer)
                for part in changed:
                    self._changes[part].set()
                    self._changes[part] = asyncio.Event()
        finally:
            self._committing = None

    def _carry_out(self, group: Sequence[_Waiting]) -> tuple[Sequence[Any], set[str]]:
        """An answer or an error for each, and which parts have changed."""
        try:
            with boundary(StorageFault, f"{self._path}: cannot be kept", _REMEDY, catch=(OSError, sqlite3.Error)):
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
                answers, changed = self._all(connection, group)
                connection.execute("COMMIT")
        except StorageFault as fault:
            self._close()
            return [fault] * len(group), set()
        return answers, changed

    def _all(self, connection: sqlite3.Connection, group: Sequence[_Waiting]) -> tuple[list[Any], set[str]]:
        answers: list[Any] = []
        changed: set[str] = set()
        for waiting in group:
            before = connection.total_changes
            connection.execute("SAVEPOINT one")
            try:
                answers.append(getattr(self._parts[waiting.part], waiting.method)(*waiting.arguments))
            except sqlite3.OperationalError:  # no room: SQLite may have given up the whole transaction
                raise
            except Exception as refused:
                answers.append(refused)
                connection.execute("ROLLBACK TO one")
            else:
                if connection.total_changes != before:
                    changed.add(waiting.part)
            connection.execute("RELEASE one")
        return answers, changed

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._take_lock()
            connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._connection = connection
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            self._parts = {name: make(connection) for name, make in self._makers.items()}
        return self._connection

    def _take_lock(self) -> None:
        if self._lock.is_locked:
            return
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StorageFault(f"{self._path} is kept by another process", "stop the other service first") from None

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection, self._parts = None, {}


def _settle(answer: asyncio.Future[Any], found: Any) -> None:
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)
