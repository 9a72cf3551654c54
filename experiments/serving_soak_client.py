"""Callers of the soak: the official SDKs as they come, with their default retries, and feedback on every answer.

A process asks in six ways (chat, responses and messages, each streamed or whole), one call in four being the second
turn of a conversation. Each answered decision gets feedback until it is acknowledged. Everything that is asked and
said is a JSON line of the log, written at once: `ask`, then `answered` (a stream to its final event), `broke` (a stream
that had begun and then raised), `silent` (one that ended without its final event and without an error) or `failed` (the
SDK raised before an answer began); `feedback` lines are entries of `serve.learning.checker`.

    python experiments/serving_soak_client.py --url URL --name NAME --log FILE --seconds S --in-flight N|--per-second R

The key comes by the environment variable KRINS_SOAK_KEY; it begins once its standard input ends. Left out: what it
means (`serving_soak_report`).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import aiohttp
import anthropic
import click
import openai

BEST = {"backend": "chat-model", "frontend": "messages-model", "data": "responses-model"}
"""Which model is good at what; the models are named after what their upstreams speak."""
GOOD, BAD = 0.9, 0.3
"""How often a model passes at what it is good at, and at the rest."""
WAYS = ("chat", "responses", "messages")
_SECOND_TURNS = 0.25
_ENDINGS = ("completed", "incomplete")
USD_PER_TOKEN = 4e-8
_FEEDBACK_PATIENCE_SECONDS = 120.0


class ResponseFailed(Exception):
    """A stream ended in `response.failed`, which OpenAI's SDK hands out as an event like any other."""


class Said(NamedTuple):
    """What is known once an answer has begun."""

    raw: Any
    """The SDK's raw response: headers, and how often it had to retry."""
    read: Awaitable[str | None]
    """The text; None: a stream ended without its final event."""


class Client:
    def __init__(self, url: str, key: str, name: str, log: IO[str]) -> None:
        self._url, self._key, self._log = url, key, log
        self._rng, self._name = random.Random(name), name
        self._openai = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key)
        self._anthropic = anthropic.AsyncAnthropic(base_url=url, api_key=key)
        self._asked = 0
        self._earlier: list[dict[str, Any]] = []

    async def __aenter__(self) -> Client:
        self._feedback = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._key}"})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._feedback.close()
        await self._openai.close()
        await self._anthropic.close()

    async def once(self) -> None:
        """Ask, read, and feed back."""
        self._asked += 1
        number, rng = self._asked, self._rng
        way, is_streamed, category = rng.choice(WAYS), rng.random() < 0.5, rng.choice(list(BEST))
        messages = self._messages(number, category)
        kind = f"{way}, {'streamed' if is_streamed else 'whole'}"
        began = time.time()
        self._tell(event="ask", number=number, kind=kind)
        said: Said | None = None
        try:
            said = await _ASK[way](self, messages, is_streamed, category)
            text = await said.read
        except Exception as error:
            has_begun = said is not None and is_streamed
            self._tell(event="broke" if has_begun else "failed", number=number, kind=kind, **_words(error, said))
            return
        headers = said.raw.headers
        about = {"number": number, "kind": kind, "seconds": time.time() - began, "retries": said.raw.retries_taken}
        decided = {"decision_id": headers["x-krins-decision-id"], "reason": headers["x-krins-reason"]}
        if text is None:
            self._tell(event="silent", **about, **decided, words="")
            return
        self._tell(event="answered", **about, **decided)
        arm = headers["x-krins-model"]
        if rng.random() < _SECOND_TURNS:
            self._earlier = [*messages, {"role": "assistant", "content": text}]
        cost = headers.get("x-krins-cost-usd") or f"{len(text) / 4 * USD_PER_TOKEN:f}"
        await self._feed_back(
            decided["decision_id"], cost, float(rng.random() < (GOOD if BEST[category] == arm else BAD))
        )

    def _messages(self, number: int, category: str) -> list[dict[str, Any]]:
        earlier, self._earlier = self._earlier, []
        asked = f"{self._name}, {number}: write a function for the {category}. " + "It is a long story. " * 15
        return [*earlier, {"role": "user", "content": asked}]

    async def _chat(self, messages: list[Any], is_streamed: bool, category: str) -> Said:
        raw: Any = await self._openai.chat.completions.with_raw_response.create(
            model="krins", messages=messages, stream=is_streamed, max_tokens=100, extra_headers=_about(category)
        )
        return Said(raw, _streamed_chat(raw.parse()) if is_streamed else _whole_chat(raw))

    async def _responses(self, messages: list[Any], is_streamed: bool, category: str) -> Said:
        raw: Any = await self._openai.responses.with_raw_response.create(
            model="krins", input=messages, stream=is_streamed, max_output_tokens=100, extra_headers=_about(category)
        )
        return Said(raw, _streamed_response(raw.parse()) if is_streamed else _whole_response(raw))

    async def _messages_api(self, messages: list[Any], is_streamed: bool, category: str) -> Said:
        raw: Any = await self._anthropic.messages.with_raw_response.create(
            model="krins", messages=messages, stream=is_streamed, max_tokens=100, extra_headers=_about(category)
        )
        return Said(raw, _streamed_message(await raw.parse()) if is_streamed else _whole_message(raw))

    async def _feed_back(self, decision_id: str, cost_usd: str, quality: float) -> None:
        """Until it is acknowledged; with what it cost once the service says that it does not know."""
        started, attempt = time.monotonic(), 0
        item: dict[str, Any] = {"decision_id": decision_id, "quality": quality}
        while time.monotonic() - started < _FEEDBACK_PATIENCE_SECONDS:
            attempt += 1
            about = {"decision_id": decision_id, "attempt": attempt, "quality": quality}
            self._tell(event="feedback", what="invoke", **about)
            event, status, refused = await self._send(item)
            self._tell(event="feedback", what=event, status=status, refused=refused, **about)
            if event == "ok":
                return
            if "cost_unknown" in refused:
                item["cost_usd"] = cost_usd
            await asyncio.sleep(min(2.0, 0.05 * 2**attempt) * (0.5 + self._rng.random()))

    async def _send(self, item: dict[str, Any]) -> tuple[Literal["ok", "fail", "info"], str, str]:
        """What a checker calls it, the receipt's status, and the words of a refusal."""
        try:
            async with self._feedback.post(f"{self._url}/v1/feedback", json=item) as answer:
                content = await answer.json()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return "info", "", type(error).__name__
        if answer.status == 200:
            return "ok", content["status"], ""
        return ("info" if answer.status >= 500 else "fail"), "", f"{answer.status} {content['error']['code']}"

    def _tell(self, **line: Any) -> None:
        self._log.write(json.dumps({"at": time.time(), "client": self._name, **line}) + "\n")


_ASK: dict[str, Callable[[Client, list[Any], bool, str], Awaitable[Said]]] = {
    "chat": Client._chat,
    "responses": Client._responses,
    "messages": Client._messages_api,
}


def _about(category: str) -> dict[str, str]:
    return {"x-krins-category": category}


async def _whole_chat(raw: Any) -> str:
    [choice] = raw.parse().choices
    assert choice.finish_reason
    return str(choice.message.content)


async def _streamed_chat(stream: AsyncIterator[Any]) -> str | None:
    text, is_whole = "", False
    async for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            is_whole = is_whole or choice.finish_reason is not None
    return text if is_whole else None


async def _whole_response(raw: Any) -> str:
    answer = raw.parse()
    assert answer.status in _ENDINGS
    return str(answer.output_text)


async def _streamed_response(stream: AsyncIterator[Any]) -> str | None:
    text = None
    async for event in stream:
        if event.type == "response.failed":
            raise ResponseFailed(str(event.response.error))
        if event.type.removeprefix("response.") in _ENDINGS:
            text = str(event.response.output_text)
    return text


async def _whole_message(raw: Any) -> str:
    answer = await raw.parse()
    assert answer.stop_reason
    return str(answer.content[0].text)


async def _streamed_message(stream: AsyncIterator[Any]) -> str | None:
    text, is_whole = "", False
    async for event in stream:
        if event.type == "content_block_delta":
            text += event.delta.text
        is_whole = is_whole or event.type == "message_stop"
    return text if is_whole else None


def _words(error: Exception, said: Said | None) -> dict[str, Any]:
    """Its class and status, what it says, and what the SDK had tried."""
    status = getattr(error, "status_code", None)
    name = type(error).__name__ if status is None else f"{type(error).__name__} {status}"
    cause = f", by {type(error.__cause__).__name__}: {error.__cause__}" if error.__cause__ else ""
    return {"class": name, "words": f"{error}{cause}"[:400], "retries": said.raw.retries_taken if said else None}


async def in_closed_loop(client: Client, in_flight: int, seconds: float) -> None:
    """So many callers, each of whom asks again once everything about his last question is done."""
    until = time.monotonic() + seconds

    async def caller() -> None:
        while time.monotonic() < until:
            await client.once()

    await asyncio.gather(*(caller() for _ in range(in_flight)))


async def as_they_come(client: Client, per_second: float, seconds: float, rng: random.Random) -> None:
    """Poisson arrivals, which wait for nobody; returns once everything about them is done."""
    due = time.monotonic()
    until = due + seconds
    async with asyncio.TaskGroup() as group:
        while (due := due + rng.expovariate(per_second)) < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(client.once())


@click.command()
@click.option("--url", required=True)
@click.option("--name", required=True, help="Seeds what is asked, too.")
@click.option("--log", type=click.Path(path_type=Path), required=True)
@click.option("--seconds", type=float, required=True)
@click.option("--in-flight", type=int)
@click.option("--per-second", type=float)
def main(url: str, name: str, log: Path, seconds: float, in_flight: int | None, per_second: float | None) -> None:
    """Ask for so many seconds, in a closed loop or as a Poisson process."""
    import uvloop

    async def ask() -> None:
        with log.open("w", buffering=1) as file:
            sys.stdin.read()
            async with Client(url, os.environ["KRINS_SOAK_KEY"], name, file) as client:
                if in_flight is not None:
                    await in_closed_loop(client, in_flight, seconds)
                elif per_second is not None:
                    await as_they_come(client, per_second, seconds, random.Random(f"arrivals of {name}"))

    uvloop.run(ask())


if __name__ == "__main__":
    main()
