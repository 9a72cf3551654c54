"""What the fake says of itself: `GET /`, `GET /krins/bill`, `POST /krins/reset` and `POST /krins/outage`.

`reset` forgets the bill and all counts of calls, so that the next test finds the server as new; files stay. `outage`
takes `{"kind": "connect_refused" or "reset_at_accept", "seconds": 0.5}`: the very next connection meets it. Invariant:
none of these requests is on the bill.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from krins.fake_provider.bill import Bill
from krins.fake_provider.connection import Exchange
from krins.fake_provider.faults import FaultSchedule, Kind
from krins.fake_provider.service import Outage
from krins.fake_provider.wire import FAKE_HEADERS, dump

NOTICE = "A fake of Anthropic, OpenAI and Gemini, for tests and demonstrations: every answer is made up.\n"


@dataclass(frozen=True)
class Control:
    bill: Bill
    schedule: FaultSchedule
    outage: Outage

    def owns(self, target: str) -> bool:
        return target == "/" or target.startswith("/krins/")

    async def serve(self, exchange: Exchange) -> None:
        match exchange.method, exchange.target:
            case "GET", "/":
                await exchange.send(200, {**FAKE_HEADERS, "content-type": "text/plain"}, NOTICE.encode())
            case "GET", "/krins/bill":
                await _send(exchange, 200, self.bill.as_json())
            case "POST", "/krins/reset":
                self.bill.reset()
                self.schedule.reset()
                await _send(exchange, 200, {})
            case "POST", "/krins/outage":
                await self._begin_outage(exchange)
            case _:
                await _send(
                    exchange, 404, {"error": "there is GET / and /krins/bill, POST /krins/reset and /krins/outage"}
                )

    async def _begin_outage(self, exchange: Exchange) -> None:
        try:
            asked = json.loads(exchange.body)
            kind, seconds = Kind(asked["kind"]), float(asked["seconds"])
        except (ValueError, KeyError, TypeError) as failure:
            await _send(exchange, 400, {"error": f"no outage: {failure}"})
            return
        self.outage(kind, seconds)
        await _send(exchange, 200, {})


async def _send(exchange: Exchange, status: int, content: Any) -> None:
    await exchange.send(
        status, {**FAKE_HEADERS, "content-type": "application/json", "connection": "close"}, dump(content)
    )
