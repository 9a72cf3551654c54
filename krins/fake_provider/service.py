"""What is answered to which request: finds the wire format, asks the schedule of faults, writes the bill.

Invariants: a call is logged before it is answered; every request for an answer has a row on the bill, charged before
anything is sent; every answer has the header `x-krins-fake: 1`. Left out: sockets (`krins.fake_provider.connection`),
and when this server listens (`krins.fake_provider.server`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from krins.errors import UserError
from krins.fake_provider.answers import Answers, Echo, Question
from krins.fake_provider.bill import Bill, Row, append
from krins.fake_provider.connection import Exchange
from krins.fake_provider.delivery import Delivery
from krins.fake_provider.faults import UNBILLED, Fault, FaultSchedule, Kind, plain_name
from krins.fake_provider.generation import generate
from krins.fake_provider.refusals import refuse
from krins.fake_provider.routes import Route, find_route
from krins.fake_provider.wire import FAKE_HEADERS, Ask, Json, Malformed, Reply, Wire, count, dump

if TYPE_CHECKING:
    from krins.interfaces import Clock

FAULT_HEADER = "x-krins-fault"
SEED_HEADER = "x-krins-seed"
"""Tells samples apart in wire formats that have no seed."""
_OF_KEY_OR_NAME = frozenset({Kind.AUTH, Kind.INVALID_KEY, Kind.NOT_FOUND})
"""What a model's name may ask for where nothing is generated."""

Outage = Callable[[Kind, float], None]
"""Takes CONNECT_REFUSED or RESET_AT_ACCEPT, and for how many seconds."""


@dataclass
class Service:
    answers: Answers
    schedule: FaultSchedule
    bill: Bill
    clock: Clock
    delay_seconds: float
    """Before each answer."""
    calls_file: Path | None
    outage: Outage
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def serve(self, exchange: Exchange) -> None:
        route = find_route(exchange.method, exchange.target, exchange.headers)
        if route is None:
            problem = {"error": {"message": f"{exchange.method} {exchange.target}: there is nothing there (fake)"}}
            await exchange.send(404, {**FAKE_HEADERS, "content-type": "application/json"}, dump(problem))
        elif route.purpose == "answer":
            await self._answer(exchange, route.wire, route)
        else:
            await self._look_up(exchange, route.wire, route)

    async def _answer(self, exchange: Exchange, wire: Wire, route: Route) -> None:
        row = self._row(wire, route)
        self.bill.open(row)
        try:
            try:
                ask = _read(exchange, wire, route)
                row.model, row.streamed = ask.model, ask.is_streamed
                header = exchange.headers.get(FAULT_HEADER, "")
                fault = self.schedule.next(wire.provider, ask.model, ask.prompt, ask.seed, header)
                row.fault = fault.kind if fault else None
                reply = self._reply(exchange, ask, fault, row)
            except (Malformed, UserError) as problem:
                await refuse(exchange, wire, Fault(Kind.BAD_REQUEST), row, self.clock, str(problem))
                return
            append(self.calls_file, [plain_name(ask.model), _digest(ask.prompt)[:16], ask.seed])
            await self._wait(fault)
            await self._send(exchange, wire, reply, fault, row)
        finally:
            self.bill.settle(row)

    def _row(self, wire: Wire, route: Route) -> Row:
        digits = _digest(f"{self.schedule.plan.seed} {next(self._numbers)}")
        answer_id = wire.answer_id(digits[:32])
        request_id = f"req_{digits[32:]}" if wire.request_id_header else answer_id
        return Row(wire.provider, route.model, request_id, answer_id, fault=None)

    def _reply(self, exchange: Exchange, ask: Ask, fault: Fault | None, row: Row) -> Reply | None:
        """Generate, and charge for it; None where the fault is such that nothing is generated."""
        kind = fault.kind if fault else None
        if kind in UNBILLED:
            return None
        question = Question(plain_name(ask.model), ask.prompt, ask.earlier, ask.seed, exchange.headers)
        text, finish, tokens, sampled = generate(ask, self.answers.answer(question) or Echo().answer(question), fault)
        row.charge(tokens)
        return Reply(
            ask,
            text,
            finish,
            tokens,
            row.answer_id,
            sampled,
            created_at_seconds=self.clock.now_seconds(),
            tells_usage=kind is not Kind.NO_USAGE,
            repeats_usage=kind is Kind.DUPLICATE_USAGE,
        )

    async def _wait(self, fault: Fault | None) -> None:
        seconds = self.delay_seconds
        if fault is not None and fault.kind is Kind.SLOW_FIRST_BYTE:
            seconds += fault.number
        if seconds:
            await self.clock.sleep(seconds)

    async def _send(self, exchange: Exchange, wire: Wire, reply: Reply | None, fault: Fault | None, row: Row) -> None:
        if reply is None:
            assert fault is not None
            if fault.kind in (Kind.CONNECT_REFUSED, Kind.RESET_AT_ACCEPT):
                self.outage(fault.kind, fault.number)
            await refuse(exchange, wire, fault, row, self.clock)
            return
        row.status = 200
        headers = {**FAKE_HEADERS, **({wire.request_id_header: row.request_id} if wire.request_id_header else {})}
        delivery = Delivery(
            exchange,
            headers,
            fault,
            self.clock,
            partial(setattr, row, "usage_reported", True),
            partial(self.bill.settle, row),
        )
        if reply.ask.is_streamed:
            await delivery.stream(wire.frames(reply), wire.error_frame())
        else:
            error = wire.error(Kind.OVERLOADED, reply.ask.model, row.request_id, "", 0)
            await delivery.whole(wire.whole(reply), error, reply.tells_usage)

    async def _look_up(self, exchange: Exchange, wire: Wire, route: Route) -> None:
        """Models and numbers of tokens: never billed."""
        row = self._row(wire, route)
        try:
            fault = _look_up_fault(exchange, route)
            if fault is not None:
                await refuse(exchange, wire, fault, row, self.clock)
                return
            content = _looked_up(exchange, wire, route)
        except (Malformed, UserError) as problem:
            await refuse(exchange, wire, Fault(Kind.BAD_REQUEST), row, self.clock, str(problem))
            return
        await exchange.send(200, {**FAKE_HEADERS, "content-type": "application/json"}, dump(content))


def _read(exchange: Exchange, wire: Wire, route: Route) -> Ask:
    """Raises Malformed where the body is not what the wire format asks for."""
    try:
        ask = wire.read(_body(exchange), route.model, route.is_streamed)
    except (AttributeError, TypeError, KeyError) as failure:  # of a shape that no client's library makes
        raise Malformed(f"the request has something of a wrong type: {failure}") from failure
    seed = exchange.headers.get(SEED_HEADER)
    return ask if seed is None else replace(ask, seed=int(seed))


def _body(exchange: Exchange) -> Json:
    try:
        body = json.loads(exchange.body)
    except ValueError as failure:
        raise Malformed(f"the body is not JSON: {failure}") from failure
    if not isinstance(body, dict):
        raise Malformed("the body is not a JSON object")
    return body


def _look_up_fault(exchange: Exchange, route: Route) -> Fault | None:
    """Raises UserError where header or name ask for a fault that there is not."""
    header, suffix = exchange.headers.get(FAULT_HEADER, ""), route.model.partition("!")[2]
    fault = Fault.parse(header or suffix) if header or suffix else None
    allowed = UNBILLED if header else _OF_KEY_OR_NAME
    return fault if fault is not None and fault.kind in allowed else None


def _looked_up(exchange: Exchange, wire: Wire, route: Route) -> Json:
    if route.purpose == "models":
        return wire.models()
    if route.purpose == "model":
        return wire.model(route.model)
    ask = wire.read(_body(exchange) | {"max_tokens": 1}, route.model, False)
    return {"totalTokens" if wire.provider == "google" else "input_tokens": count(ask.n_characters)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
