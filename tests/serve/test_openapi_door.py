"""What the document says of every route is what the door does: honest routes pass schemathesis, and a liar is found."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from pydantic import BaseModel, Field

from serve.openapi import with_document
from serve.page.page import StatusPage
from serve.page.page import routes as page_routes
from serve.web import Answer, Call, Refusal, Route, Scope
from tests.serve.contract import contract_failures
from tests.serve.door_app import ADMIN_KEY, listening, make_door
from tests.serve.page_server import Learner, Ticking, sources


class Order(BaseModel):
    text: str = Field(min_length=1)
    times: int = Field(1, ge=1, le=9)


class Ordered(BaseModel):
    text: str
    times: int


class Page(BaseModel):
    limit: int = Field(10, ge=1, le=100)


async def _order(call: Call) -> Answer:
    return Answer.of(Ordered(text=call.data.text, times=call.data.times), 202)


async def _page(call: Call) -> Answer:
    return Answer.of({"limit": call.query.limit})


async def _find(call: Call) -> Answer:
    raise Refusal(404, "unknown_order", "there is no such order")


async def _lie(call: Call) -> Answer:
    return Answer.of({"text": 1})


def _never(call: Call) -> bool:
    return False


HONEST = [
    Route("POST", "/orders", _order, Scope.INFER, "Order", "t", body=Order, answer=Ordered, status=202),
    Route("GET", "/orders", _page, Scope.ANY, "Orders", "t", query=Page),
    Route("GET", "/orders/{order_id}", _find, Scope.INFER, "One", "t", refusals={404: "no such order"}),
    Route(
        "POST", "/v1/chat/completions", _order, Scope.ADMIN, "Chat", "t", "openai", Order, answer=Ordered, status=202
    ),
    Route("POST", "/v1/messages", _order, Scope.INFER, "Message", "t", "anthropic", Order, answer=Ordered, status=202),
]  # fmt: skip
LIAR = Route("GET", "/lie", _lie, Scope.INFER, "Lie", "t", answer=Ordered)


def test_the_door_keeps_to_the_document_and_a_liar_is_found(tmp_path: Path) -> None:
    page = page_routes(StatusPage(sources(Learner(), Ticking(1.8e9)), _never))

    async def run() -> str:
        door = make_door(tmp_path, with_document([*HONEST, *page, LIAR], "1"))
        async with listening(door) as listener:
            url = f"http://127.0.0.1:{listener.port}"
            return await asyncio.to_thread(contract_failures, url, ADMIN_KEY, tmp_path, 3)

    failures = asyncio.run(run())
    assert re.findall(r"^_+ ([A-Z]+ /\S*) _+$", failures, re.MULTILINE) == ["GET /lie"], failures
