"""How an answer goes out: whole or as a stream, and what befalls it on the way.

Invariants: a fault in the middle comes after half of the body, or after half of a stream's pieces of text, and always
before usage is told in full; the bill is settled before the last byte is sent. Left out: faults that change what is
said (`krins.fake_provider.generation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from krins.fake_provider.connection import Exchange, Headers
from krins.fake_provider.faults import Fault, Kind
from krins.fake_provider.wire import Frame, Json, dump

if TYPE_CHECKING:
    from krins.interfaces import Clock

_MIDWAY = frozenset(
    {Kind.STALL, Kind.HALF_CLOSED, Kind.RESET, Kind.ENDS_EARLY, Kind.TRUNCATED_JSON, Kind.ERROR_IN_STREAM}
)


@dataclass(frozen=True, slots=True)
class Delivery:
    exchange: Exchange
    headers: Headers
    fault: Fault | None
    clock: Clock
    on_usage: Callable[[], None]
    """Called when all that is billed is about to be told."""
    on_end: Callable[[], None]
    """Called when nothing more is about to be sent."""

    @property
    def _midway(self) -> Kind | None:
        return self.fault.kind if self.fault and self.fault.kind in _MIDWAY else None

    async def whole(self, content: Json, error: Json, tells_usage: bool) -> None:
        """Send `content` as JSON, or `error` where that is the fault."""
        body, headers = dump(content), {**self.headers, "content-type": "application/json"}
        middle = len(body) // 2
        match self._midway:
            case Kind.ENDS_EARLY | Kind.TRUNCATED_JSON:
                await self._send(headers, body[:middle])
            case Kind.ERROR_IN_STREAM:
                await self._send(headers, dump(error))
            case Kind.STALL | Kind.HALF_CLOSED | Kind.RESET:
                self.exchange.begin(200, {**headers, "content-length": str(len(body))})
                await self.exchange.write(body[:middle])
                if await self._goes_on():
                    self._about_to_end(tells_usage)
                    await self.exchange.write(body[middle:])
                    self.exchange.end()
            case _:
                self._about_to_end(tells_usage)
                await self.exchange.send(200, headers, body)

    async def stream(self, frames: Iterator[Frame], error: bytes) -> None:
        """Send `frames` as server-sent events, with `error` among them where that is the fault."""
        self.exchange.begin(200, {**self.headers, "content-type": "text/event-stream; charset=utf-8"})
        if self._midway is not None:
            first, rest = _halves(list(frames))
            await self._send_frames(first)
            if not await self._is_midway_passed(rest, error):
                return
            frames = iter(rest)
        await self._send_frames(frames)
        self.exchange.end()

    async def _is_midway_passed(self, rest: list[Frame], error: bytes) -> bool:
        """Whether the stream goes on after what befell it."""
        last = {
            Kind.ENDS_EARLY: b"",
            Kind.ERROR_IN_STREAM: error,
            Kind.TRUNCATED_JSON: rest[0].data[: len(rest[0].data) // 2] + b"\n\n",
        }
        if self._midway not in last:
            return await self._goes_on()
        self.on_end()
        if last[self._midway]:
            await self.exchange.write(last[self._midway])
        self.exchange.end()
        return False

    async def _send_frames(self, frames: Iterable[Frame]) -> None:
        drops_final = self.fault is not None and self.fault.kind is Kind.MISSING_FINAL_EVENT
        for frame in frames:
            if frame.is_final and drops_final:
                continue
            if frame.has_usage:
                self.on_usage()
            if frame.has_usage or frame.is_final:
                self.on_end()
            await self.exchange.write(frame.data)

    async def _goes_on(self) -> bool:
        """Stall, which passes, or end the connection, which does not."""
        if self._midway is Kind.STALL:
            assert self.fault is not None
            await self.clock.sleep(self.fault.number)
            return True
        self.on_end()
        if self._midway is Kind.RESET:
            await self.exchange.reset()
        else:
            await self.exchange.half_close()
        return False

    async def _send(self, headers: Headers, body: bytes) -> None:
        self.on_end()
        await self.exchange.send(200, headers, body)

    def _about_to_end(self, tells_usage: bool) -> None:
        if tells_usage:
            self.on_usage()
        self.on_end()


def _halves(frames: list[Frame]) -> tuple[list[Frame], list[Frame]]:
    """Split after half of the text; where there is none, after the first event."""
    texts = [position for position, frame in enumerate(frames) if frame.is_text]
    cut = texts[(len(texts) - 1) // 2] + 1 if texts else 1
    return frames[:cut], frames[cut:]
