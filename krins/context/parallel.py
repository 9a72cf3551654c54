"""Parses many sources in processes of their own, few in this one.

A worker is a bare interpreter that runs `serve` and speaks over its pipes. It inherits no threads or locks and does not
run the caller's script again, so it may be started from anywhere: an actor, a thread, a notebook.

Invariants: facts do not depend on how many processes there are, or where a source is parsed; a worker that dies costs
nothing but the facts of the source on which a second one dies too; where none starts, all is parsed here. Left out:
parsing itself.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

from krins.context.facts import FileFacts

Source = tuple[str, bytes]
"""Language and content."""
Facts = FileFacts | None
"""None where a parser failed."""

_MIN_BYTES = 2 << 20
"""Below, all is parsed before a worker is ready."""
_BATCH_BYTES = 1 << 18
_PROGRAM = "import sys; sys.path[:] = {path!r}; from krins.context.parallel import serve; serve()"


class _NotStarted(Exception):
    """There is no worker to be had."""


class _Died(Exception):
    """A worker ended without an answer."""


def parse_all(sources: Sequence[Source], workers: int | None = None) -> list[Facts]:
    """Facts of each source; None where its parser failed. At most `workers` processes, by default one a processor."""
    workers = workers or _processors()
    if workers == 1 or sum(len(content) for _, content in sources) < _MIN_BYTES:
        return [_parsed(source) for source in sources]
    found = _parsed_apart(sources, workers)
    found.update(_parsed_alone({at: source for at, source in enumerate(sources) if at not in found}))
    return [found[at] for at in range(len(sources))]


def serve() -> None:
    """Answer lists of sources on standard input with lists of facts on standard output, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for the caller, who ends this process
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what a library prints is no answer
        _parsed(("python", b""))  # imports all of parsing
        answer: object = "ready"
        with suppress(EOFError):
            while True:
                pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
                answers.flush()
                answer = [_parsed(source) for source in pickle.load(sys.stdin.buffer)]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _parsed(source: Source) -> Facts:
    from krins.context.parsing import parse  # here, for it takes a second and a full cache needs no parsing

    language, content = source
    try:
        return parse(content, language)
    except Exception:  # of a grammar, or ours: one file less, never the whole tree
        return None


def _parsed_apart(sources: Sequence[Source], workers: int) -> dict[int, Facts]:
    """Facts by place in `sources`, without those that were under way when a worker died."""
    found: dict[int, Facts] = {}
    batches: SimpleQueue[list[int]] = SimpleQueue()
    for batch in _batches(sources):
        batches.put(batch)

    def work() -> None:
        with suppress(_NotStarted, _Died), _worker() as ask:
            for batch in _taken(batches):
                found.update(zip(batch, ask([sources[at] for at in batch]), strict=True))

    workers = min(workers, batches.qsize())
    with ThreadPoolExecutor(max(workers, 1)) as threads:
        try:
            for working in [threads.submit(work) for _ in range(workers)]:
                working.result()
        finally:
            list(_taken(batches))  # an interrupt waits for the batches that are under way, and no longer
    return found


def _batches(sources: Sequence[Source]) -> Iterator[list[int]]:
    """Places in `sources`, the largest first, so that workers end at about the same time."""
    batch: list[int] = []
    size = 0
    for at in sorted(range(len(sources)), key=lambda at: -len(sources[at][1])):
        batch.append(at)
        size += len(sources[at][1])
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _taken(batches: SimpleQueue[list[int]]) -> Iterator[list[int]]:
    with suppress(Empty):
        while True:
            yield batches.get_nowait()


def _parsed_alone(sources: dict[int, Source]) -> dict[int, Facts]:
    """Facts of sources on which a worker may die: one at a time."""
    found: dict[int, Facts] = {}
    left = iter(sources.items())
    while len(found) < len(sources):
        try:
            with suppress(_Died), _worker() as ask:
                for at, source in left:
                    found[at] = None
                    [found[at]] = ask([source])
        except _NotStarted:
            found.update({at: _parsed(source) for at, source in left})
    return found


@contextmanager
def _worker() -> Iterator[Callable[[list[Source]], Any]]:
    """A process that parses what it is asked to.

    Raises:
        _NotStarted: it does not get as far as that.
        _Died: what it was asked ended it.
    """
    program = _PROGRAM.format(path=[entry for entry in sys.path if isinstance(entry, str)])
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as failure:
        raise _NotStarted from failure
    questions, answers = process.stdin, process.stdout
    assert questions is not None and answers is not None

    def ask(sources: list[Source]) -> Any:
        try:
            pickle.dump(sources, questions, pickle.HIGHEST_PROTOCOL)
            questions.flush()
            return pickle.load(answers)
        except (OSError, EOFError, pickle.UnpicklingError) as failure:
            raise _Died from failure

    try:
        try:
            pickle.load(answers)
        except (EOFError, pickle.UnpicklingError) as failure:
            raise _NotStarted from failure
        yield ask
    finally:
        process.kill()
        process.wait()
        answers.close()
        with suppress(OSError):
            questions.close()


__all__ = ["parse_all", "serve"]
