"""The body of a streamed answer: an upstream's events, passed on as they come.

Invariants: the bytes of events are the upstream's own where no translation lies between, but for the chunk of usage
that nobody asked for; a stream that fails after it began ends in an error of its dialect's own form, never in silence;
the attempt has ended, so journal and budget know, before the last event is handed out; whoever stops reading closes the
upstream's connection. Left out: falling back, which is over once there is a relay.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Self

import orjson

from krins.domain import Usage
from krins.errors import ModelFault
from serve.gateway.asked import Asked
from serve.gateway.attempt import Attempt
from serve.gateway.faults import code_of, words_for_caller
from serve.gateway.translation import AnswerStream, Translation, bad_answer
from serve.gateway.upstream import Streamed
from serve.gateway.wire import Json, Piece, content_of
from serve.gateway.wire_chat import is_usage_alone

_SHAPE_ERRORS = (AttributeError, KeyError, TypeError, ValueError, IndexError)


class Relay(AsyncIterator[bytes]):
    def __init__(self, streamed: Streamed, translations: list[Translation], asked: Asked, attempt: Attempt) -> None:
        self._streamed, self._asked, self._attempt = streamed, asked, attempt
        self._streams = [translation.stream() for translation in reversed(translations)]
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._is_over:
            try:
                pieces = await self._streamed.next()
                content = self._passed([each for each in pieces if each[0] is not Piece.FAILED])
                if any(piece is Piece.FAILED for piece, _ in pieces):
                    return content + self._failed(self._streamed.fault())
            except ModelFault as fault:
                return self._failed(fault)
            except BaseException as error:
                self._finish(error)
                raise
            if self._streamed.is_whole:
                self._is_over = True
                self._attempt.end(self._usage)
            if content:
                return content
        await self.aclose()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        try:
            if not self._is_over:
                self._finish(GeneratorExit())
            elif self._streamed.is_whole:
                await self._streamed.drain()
        finally:
            self._streamed.close()

    @property
    def _usage(self) -> Usage | None:
        return self._streamed.watch.usage

    def _failed(self, fault: ModelFault) -> bytes:
        fault.may_be_billed = True
        self._finish(fault)
        arm = self._attempt.decided.arm
        return self._asked.wire.error_event(code_of(fault), f"the answer broke off: {words_for_caller(arm, fault)}")

    def _finish(self, failure: BaseException) -> None:
        self._is_over = True
        self._attempt.end(self._usage, failure)
        self._streamed.close()

    def _passed(self, pieces: list[tuple[Piece, bytes]]) -> bytes:
        """Raises ModelFault."""
        if not self._streams:
            wants_usage = self._asked.wants_usage
            return b"".join(event for piece, event in pieces if piece is not Piece.USAGE or wants_usage)
        try:
            return b"".join(self._translated(pieces))
        except _SHAPE_ERRORS as error:
            raise bad_answer(error) from error

    def _translated(self, pieces: list[tuple[Piece, bytes]]) -> Iterator[bytes]:
        wire = self._asked.wire
        for piece, event in pieces:
            content = content_of(event)
            for translated in _through(self._streams, content) if content else ():
                yield from self._encoded(translated)
            if piece is Piece.END:
                for translated in _ending(self._streams):
                    yield from self._encoded(translated)
                yield wire.final

    def _encoded(self, event: Json) -> Iterator[bytes]:
        if self._asked.wants_usage or not is_usage_alone(event):
            yield self._asked.wire.encode(event)


def _through(streams: list[AnswerStream], event: Json) -> Iterator[Json]:
    if not streams:
        yield event
        return
    for translated in streams[0].take(event):
        yield from _through(streams[1:], translated)


def _ending(streams: list[AnswerStream]) -> Iterator[Json]:
    """What comes at the end: of the first stream, through all the others, then theirs."""
    if not streams:
        return
    for translated in streams[0].end():
        yield from _through(streams[1:], translated)
    yield from _ending(streams[1:])


def whole_answer(answer: Json, translations: list[Translation]) -> bytes:
    """An answer that is not streamed, as the caller has it. Raises BrokenReply."""
    try:
        for translation in reversed(translations):
            answer = translation.answer(answer)
        return orjson.dumps(answer)
    except _SHAPE_ERRORS as error:
        raise bad_answer(error) from error
