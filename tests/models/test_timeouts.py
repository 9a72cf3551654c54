"""Which limit of time ends a call, when, and what it leaves behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from krins.clock import FakeClock
from krins.domain import Request
from krins.errors import BrokenReply, ModelFault, TimedOut
from krins.interfaces import OnText, Reply
from krins.models.job import Answered, Job
from krins.models.spec import ModelSpec
from krins.models.timeouts import ProviderCall, Timeouts, time_limit
from krins.suite import LiveModel
from tests.support.layers import QUESTION, Gate, Script, answered, job, settle

SPEC = ModelSpec(
    settings=LiveModel(name="m"),
    provider="openai",
    model="m-1",
    base_url=None,
    api_key_env=None,
    context_window=None,
    max_output_tokens=100,
    price=None,
)


class Speaker:
    """A provider that says the next piece when told to."""

    def __init__(self) -> None:
        self.listener: OnText | None = None
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def reply(self, request: Request, on_text: OnText | None = None) -> Reply:
        self.listener = on_text
        return Reply(await self.end, None, "stop", None)

    async def check(self) -> None: ...

    async def close(self) -> None: ...

    def say(self, text: str) -> None:
        assert self.listener is not None
        self.listener(text)


async def fault_of(asked: asyncio.Task[Answered]) -> TimedOut:
    await settle()
    assert asked.done()
    with pytest.raises(TimedOut) as caught:
        await asked
    return caught.value


def start(layer: Any, of: Job) -> asyncio.Task[Answered]:
    return asyncio.create_task(layer.ask(QUESTION, of))


def test_an_answer_in_time_passes() -> None:
    layer = Timeouts(Script("yes"), None, FakeClock())
    assert asyncio.run(layer.ask(QUESTION, job())) == answered()


def test_a_call_ends_at_the_deadline_cancelled_and_may_be_billed() -> None:
    async def go() -> None:
        clock, inner = FakeClock(), Gate()
        clock.advance(100.0)
        asked = start(Timeouts(inner, None, clock), job(deadline_seconds=110.0))
        await settle()
        clock.advance(9.5)
        await settle()
        assert not asked.done()
        clock.advance(0.5)
        fault = await fault_of(asked)
        assert "10 s into this call" in fault.message
        assert "timeout_seconds" in fault.remedy
        assert fault.may_be_billed
        assert (inner.cancelled, inner.in_flight) == (1, 0)

    asyncio.run(go())


def test_a_deadline_that_moves_while_the_call_runs_is_followed() -> None:
    async def go() -> None:
        clock, of = FakeClock(), job(deadline_seconds=10.0)
        asked = start(Timeouts(Gate(), None, clock), of)
        await settle()
        of.deadline_seconds = 16.0
        clock.advance(10.0)
        await settle()
        assert not asked.done()
        clock.advance(6.0)
        await fault_of(asked)

    asyncio.run(go())


def test_no_first_token_in_time() -> None:
    async def go() -> None:
        clock = FakeClock()
        asked = start(Timeouts(ProviderCall(Speaker(), SPEC), 2.0, clock), job())
        await settle()
        clock.advance(2.0)
        fault = await fault_of(asked)
        assert "no text of the answer came for 2 s" in fault.message
        assert fault.may_be_billed

    asyncio.run(go())


def test_a_stall_between_pieces_counts_from_the_last_one() -> None:
    async def go() -> None:
        clock, provider = FakeClock(), Speaker()
        asked = start(Timeouts(ProviderCall(provider, SPEC), 2.0, clock), job())
        await settle()
        for _ in range(3):
            clock.advance(1.5)
            provider.say("word ")
            await settle()
            assert not asked.done()
        clock.advance(2.0)
        assert "stalled after 3 pieces for 2 s" in (await fault_of(asked)).message

    asyncio.run(go())


def test_a_stream_that_keeps_talking_ends_at_the_deadline_all_the_same() -> None:
    async def go() -> None:
        clock, provider = FakeClock(), Speaker()
        asked = start(Timeouts(ProviderCall(provider, SPEC), 2.0, clock), job(deadline_seconds=3.0))
        await settle()
        for _ in range(2):
            clock.advance(1.5)
            provider.say("word ")
            await settle()
        assert "the time for the question was over" in (await fault_of(asked)).message

    asyncio.run(go())


def test_watching_a_stream_that_nobody_reads_does_not_make_its_failure_final() -> None:
    async def go() -> None:
        clock, provider, of = FakeClock(), Speaker(), job()
        asked = start(Timeouts(ProviderCall(provider, SPEC), 2.0, clock), of)
        await settle()
        provider.say("word ")
        provider.end.set_result("word ")
        assert await asked == answered("word ")
        assert not of.has_streamed

    asyncio.run(go())


@pytest.mark.parametrize("first_token_seconds", [None, 2.0])
def test_pieces_are_handed_on_and_noted(first_token_seconds: float | None) -> None:
    async def go() -> None:
        heard: list[str] = []
        clock, provider, of = FakeClock(), Speaker(), job(on_text=heard.append)
        asked = start(Timeouts(ProviderCall(provider, SPEC), first_token_seconds, clock), of)
        await settle()
        assert not of.has_streamed
        provider.say("so ")
        provider.say("far")
        assert of.has_streamed
        provider.end.set_exception(BrokenReply("cut off"))
        with pytest.raises(BrokenReply):
            await asked
        assert heard == ["so ", "far"]

    asyncio.run(go())


def test_without_a_listener_the_provider_need_not_stream() -> None:
    async def go() -> None:
        provider = Speaker()
        provider.end.set_result("yes")
        assert await ProviderCall(provider, SPEC).ask(QUESTION, job()) == answered()
        assert provider.listener is None

    asyncio.run(go())


def test_a_cancelled_question_is_cancelled_not_timed_out() -> None:
    async def go() -> None:
        inner = Gate()
        asked = start(Timeouts(inner, None, FakeClock()), job())
        await settle()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert inner.cancelled == 1

    asyncio.run(go())


@pytest.mark.parametrize("error", [TimeoutError("of the system"), ModelFault("other")])
def test_what_the_call_itself_raises_passes_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        asyncio.run(Timeouts(Script(error), None, FakeClock()).ask(QUESTION, job()))
    assert caught.value is error


def test_no_watch_is_left_behind() -> None:
    async def go() -> int:
        for _ in range(3):
            async with time_limit(FakeClock(), lambda: 1.0):
                await asyncio.sleep(0)
        await settle()
        return len(asyncio.all_tasks())

    assert asyncio.run(go()) == 1
