"""Calls of upstreams through one aiohttp session: keep-alive, and nothing of a browser.

No cookies, no redirects, no proxies of the environment, no SDK: OpenAI's takes seven times the processor time of this.
Invariants: a connection that could not be made, and that alone, is tried a second time, for nothing was sent; an answer
is at most 32 MiB; a reply is closed whatever becomes of who reads it, and used again only if it was read to its end.
Limits of time hold for each call (`LiveModel`): `connect_timeout_seconds`; `timeout_seconds` in all;
`first_token_timeout_seconds` for a stream to begin and between any two pieces. Left out: breakers (`attempt`).
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from krins.errors import BrokenReply, ModelFault, TimedOut, Unreachable
from krins.interfaces import Clock
from krins.models.providers.http import MAX_BODY_BYTES
from serve.gateway.deadlines import Deadlines, Limit
from serve.gateway.faults import status_fault, transport_fault
from serve.gateway.targets import Target
from serve.gateway.wire import Events, Piece, Watch

_MOST_ERROR_BYTES = 2**20
_KEEPALIVE_SECONDS = 15.0
_TAIL_SECONDS = 1.0
"""For a stream to end after its final event, so that its connection can be used again."""


class Upstreams:
    """The session of a replica, opened at the first call, for it belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._deadlines = clock, Deadlines(clock)
        self._session: aiohttp.ClientSession | None = None

    async def whole(self, target: Target, content: bytes, headers: Mapping[str, str]) -> bytes:
        """The body of an answer that is not streamed.

        Raises:
            ModelFault: there is none. Rejected: the upstream refuses the request as it is.
        """
        seconds = target.spec.settings.timeout_seconds
        due = self._clock.monotonic_seconds() + seconds
        try:
            return await self._deadlines.limited(due, self._whole(target, content, headers))
        except TimeoutError:
            raise _timed_out(f"no answer in {seconds:g} s") from None

    async def stream(self, target: Target, content: bytes, headers: Mapping[str, str]) -> Streamed:
        """An answer that has begun: its first event that says something is there.

        Raises:
            ModelFault: there is none. Rejected: the upstream refuses the request as it is.
        """
        settings = target.spec.settings
        started = self._clock.monotonic_seconds()
        deadline = started + settings.timeout_seconds
        stall = settings.first_token_timeout_seconds or settings.timeout_seconds
        try:
            streamed = await self._deadlines.limited(
                min(deadline, started + stall), self._begun(target, content, headers, stall, deadline)
            )
        except TimeoutError:
            raise _timed_out(f"no answer began in {stall:g} s") from None
        streamed.guard()
        return streamed

    async def close(self) -> None:
        session, self._session = self._session, None
        self._deadlines.close()
        if session is not None:
            await session.close()

    async def _whole(self, target: Target, content: bytes, headers: Mapping[str, str]) -> bytes:
        response = await self._send(target, content, headers)
        try:
            _require_type(response, "application/json")
            return await _read(response, MAX_BODY_BYTES)
        finally:
            _let_go(response)

    async def _begun(
        self, target: Target, content: bytes, headers: Mapping[str, str], stall_seconds: float, deadline: float
    ) -> Streamed:
        response = await self._send(target, content, headers)
        try:
            _require_type(response, "text/event-stream")
            streamed = Streamed(response, target.wire.watch(), self._deadlines, stall_seconds, deadline)
            await streamed.begin()
        except BaseException:
            response.close()
            raise
        return streamed

    async def _send(self, target: Target, content: bytes, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        try:
            response = await self._post(target, content, headers)
        except Unreachable:
            response = await self._post(target, content, headers)
        if response.status == 200:
            return response
        try:
            said = await _read(response, _MOST_ERROR_BYTES)
        finally:
            _let_go(response)
        raise status_fault(response.status, response.headers, said, target.spec, self._clock)

    async def _post(self, target: Target, content: bytes, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = _open_session()
        try:
            return await self._session.post(
                target.url, data=content, headers=headers, allow_redirects=False, timeout=target.timeout
            )
        except (aiohttp.ClientError, OSError) as error:
            raise transport_fault(error) from error


class Streamed:
    """A stream of server-sent events, followed by its format's watch."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        watch: Watch,
        deadlines: Deadlines,
        stall_seconds: float,
        deadline: float,
    ) -> None:
        """`deadline`: of the clock's monotonic time."""
        self._response, self.watch = response, watch
        self._deadlines, self._clock = deadlines, deadlines.clock
        self._stall_seconds, self._deadline = stall_seconds, deadline
        self._events = Events()
        self._held: list[tuple[Piece, bytes]] = []
        self._waiting_since: float | None = None
        self._guard: Limit | None = None
        self.is_whole = False

    async def begin(self) -> None:
        """Read until the answer says something, and hold what came. Raises ModelFault."""
        while all(piece is Piece.PREAMBLE for piece, _ in self._held):
            self._held += await self._read()
        for piece, _ in self._held:
            if piece is Piece.FAILED:
                raise self.fault()

    def guard(self) -> None:
        """From here on, end the stream where it stalls."""
        self._guard = self._deadlines.add(self._due_seconds, self._expire)

    async def next(self) -> list[tuple[Piece, bytes]]:
        """The events that came next. Raises ModelFault where there are none, or the stream stalls."""
        if self._held:
            held, self._held = self._held, []
            return held
        return await self._read()

    async def drain(self) -> None:
        """Read what follows the final event, which is nothing, so that the connection can be used again."""
        if self._response.content.at_eof():
            return
        due = self._clock.monotonic_seconds() + _TAIL_SECONDS
        tail = self._deadlines.add(lambda: due, self._expire)
        try:
            while await self._response.content.readany():
                pass
        except (aiohttp.ClientError, OSError, ModelFault):
            self._response.close()
        finally:
            tail.lift()

    def fault(self) -> ModelFault:
        fault = self.watch.fault or BrokenReply("the stream failed")
        fault.usage = self.watch.usage
        return fault

    def close(self) -> None:
        if self._guard is not None:
            self._guard.lift()
        _let_go(self._response)

    async def _read(self) -> list[tuple[Piece, bytes]]:
        self._waiting_since = self._clock.monotonic_seconds()
        try:
            chunk = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise transport_fault(error) from error
        finally:
            self._waiting_since = None
        if not chunk:
            raise BrokenReply("the stream ended without its final event")
        pieces = [(self.watch.take(event), event) for event in self._events.feed(chunk)]
        self.is_whole = self.is_whole or any(piece is Piece.END for piece, _ in pieces)
        return pieces

    def _expire(self) -> None:
        self._response.content.set_exception(_timed_out("the answer stalled, or took too long in all"))

    def _due_seconds(self) -> float:
        """A reader who is slow himself is no stall."""
        since = self._clock.monotonic_seconds() if self._waiting_since is None else self._waiting_since
        return min(self._deadline, since + self._stall_seconds)


def _open_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def _require_type(response: aiohttp.ClientResponse, wanted: str) -> None:
    if response.content_type != wanted:
        raise BrokenReply(f"the reply is {response.content_type}, not {wanted}")


async def _read(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    content = bytearray()
    try:
        while chunk := await response.content.readany():
            content += chunk
            if len(content) > most_bytes:
                raise BrokenReply(f"the answer exceeds {most_bytes // 2**20} MiB")
    except (aiohttp.ClientError, OSError) as error:
        raise transport_fault(error) from error
    return bytes(content)


def _let_go(response: aiohttp.ClientResponse) -> None:
    """Back to the pool where it was read to its end; otherwise the connection is closed, and the upstream knows."""
    if response.content.at_eof():
        response.release()
    else:
        response.close()


def _timed_out(words: str) -> TimedOut:
    fault = TimedOut(words)
    fault.may_be_billed = True
    return fault
