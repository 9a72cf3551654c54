"""What holds for the limit of concurrency, whatever calls do, and however those who wait give up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from krins.clock import FakeClock
from krins.errors import ModelFault, Overloaded, RateLimited, Refused
from krins.models.concurrency import AdaptiveConcurrency, Concurrency
from krins.models.job import Answered
from tests.support.layers import QUESTION, Gate, job, settle

MAXIMUM = 4


class LimiterMachine(RuleBasedStateMachine):
    """Questions come, end, give up and are refused; time passes. Each rule runs the loop until nothing moves."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock, self.inner = FakeClock(), Gate()
        self.limiter = AdaptiveConcurrency(self.clock, MAXIMUM)
        self.layer = Concurrency(self.inner, self.limiter)
        self.asked: list[asyncio.Task[Answered]] = []
        self.paused_until_seconds = 0.0

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        async def go() -> None:
            await coroutine
            await settle()

        begun = len(self.inner.asks)
        self.runner.run(go())
        if len(self.inner.asks) > begun:
            assert self.inner.in_flight <= self.limiter.limit
            assert self.clock.monotonic_seconds() >= self.paused_until_seconds

    @property
    def under_way(self) -> list[asyncio.Future[str]]:
        return [ask for ask in self.inner.asks if not ask.done()]

    @rule(seconds=st.sampled_from([2.0, 50.0]))
    def ask(self, seconds: float) -> None:
        async def start() -> None:
            deadline_seconds = self.clock.monotonic_seconds() + seconds
            self.asked.append(asyncio.create_task(self.layer.ask(QUESTION, job(deadline_seconds))))

        self.run(start())

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        async def end() -> None:
            data.draw(st.sampled_from(self.under_way)).set_result("yes")

        self.run(end())

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), fault=st.sampled_from([Overloaded, RateLimited, Refused]), pause=st.sampled_from([0, 3]))
    def refuse(self, data: st.DataObject, fault: type[ModelFault], pause: int) -> None:
        async def end() -> None:
            raised = fault("no")
            if pause:
                raised.retry_after_seconds = float(pause)
                self.paused_until_seconds = max(self.paused_until_seconds, self.clock.monotonic_seconds() + pause)
            data.draw(st.sampled_from(self.under_way)).set_exception(raised)

        self.run(end())

    @precondition(lambda self: any(not task.done() for task in self.asked))
    @rule(data=st.data(), is_answered_too=st.booleans())
    def give_up(self, data: st.DataObject, is_answered_too: bool) -> None:
        async def cancel() -> None:
            if is_answered_too and self.under_way:
                self.under_way[0].set_result("yes")
            data.draw(st.sampled_from([task for task in self.asked if not task.done()])).cancel()

        self.run(cancel())

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        async def advance() -> None:
            self.clock.advance(float(seconds))

        self.run(advance())

    @invariant()
    def no_slot_is_lost_and_nobody_waits_beside_a_free_one(self) -> None:
        pending = sum(not task.done() for task in self.asked)
        assert 1 <= self.limiter.limit <= MAXIMUM
        assert self.inner.in_flight <= self.limiter.in_flight <= min(pending, MAXIMUM)
        if pending > self.limiter.in_flight:
            assert self.limiter.in_flight >= self.limiter.limit
        if self.clock.monotonic_seconds() >= self.paused_until_seconds:
            assert self.inner.in_flight == self.limiter.in_flight

    def teardown(self) -> None:
        async def end() -> None:
            for task in self.asked:
                task.cancel()
            await asyncio.gather(*self.asked, return_exceptions=True)

        self.run(end())
        assert self.limiter.in_flight == 0
        self.runner.close()


TestLimiter = LimiterMachine.TestCase
TestLimiter.settings = settings(deadline=None, max_examples=100, stateful_step_count=40, derandomize=True)
