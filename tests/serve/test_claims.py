"""Idempotency keys: one execution whatever races, and what comes of replicas that die in between."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from krins.clock import FakeClock
from serve.interfaces import Claims
from serve.jobs import claims as rules
from serve.jobs.claims import LEASE_SECONDS, MOST_ANSWER_BYTES, Claim, ClaimStore
from serve.jobs.idempotent import idempotent
from serve.jobs.keeper import Keeper
from serve.web import Answer, Call, Client, Refusal, Scope

ONE, OTHER = Claim("replica-1", "t1"), Claim("replica-2", "t2")
ANSWER = Answer(b'{"ok":true}', 201, [(b"x-krins-decision-id", b"d1")], b"application/json")


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock(1_000.0)
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.store = ClaimStore(self.db, self.clock)
        self.retry_after_seconds: float | None = None
        """Of the last refusal."""

    def refuses(self, status: int, code: str, claim: Claim, payload: str = "p", key: str = "k") -> None:
        with pytest.raises(Refusal) as refusal:
            self.store.begin(key, payload, claim)
        assert (refusal.value.status, refusal.value.code) == (status, code)
        self.retry_after_seconds = refusal.value.retry_after_seconds


def test_the_first_executes_the_second_waits_and_then_has_its_answer() -> None:
    shop = Shop()
    assert shop.store.begin("k", "p", ONE) is None
    shop.refuses(409, "request_in_flight", OTHER)
    shop.refuses(422, "idempotency_mismatch", OTHER, payload="another")
    assert shop.store.end("k", ONE, ANSWER)
    assert shop.store.begin("k", "p", OTHER) == ANSWER
    shop.refuses(422, "idempotency_mismatch", OTHER, payload="another")
    assert shop.store.begin("another key", "p", OTHER) is None


def test_a_begin_that_is_said_twice_is_still_ours() -> None:
    shop = Shop()
    assert shop.store.begin("k", "p", ONE) is None
    assert shop.store.begin("k", "p", ONE) is None
    shop.refuses(409, "request_in_flight", Claim(ONE.replica, "another request of the same replica"))


def test_a_key_that_is_given_back_is_free() -> None:
    shop = Shop()
    shop.store.begin("k", "p", ONE)
    assert shop.store.end("k", ONE, None)
    assert shop.store.begin("k", "another payload", OTHER) is None


def test_claims_of_a_dead_replica_are_free_when_its_lease_ends_and_it_cannot_end_them_any_more() -> None:
    shop = Shop()
    shop.store.begin("k", "p", ONE)
    shop.clock.advance(LEASE_SECONDS - 1.0)
    shop.store.renew(ONE.replica)
    shop.clock.advance(LEASE_SECONDS - 1.0)
    shop.refuses(409, "request_in_flight", OTHER)
    assert shop.retry_after_seconds == 1.0, "who waits so long does not come in vain"
    shop.clock.advance(1.0)
    assert shop.store.begin("k", "p", OTHER) is None
    assert not shop.store.end("k", ONE, ANSWER), "its successor is at it"
    assert not shop.store.end("k", ONE, None)
    shop.store.renew(ONE.replica)
    shop.refuses(409, "request_in_flight", ONE)
    assert shop.store.end("k", OTHER, ANSWER)


def test_a_replica_that_asks_is_alive_however_late_its_renewal() -> None:
    shop = Shop()
    assert shop.store.begin("k", "p", ONE) is None
    shop.clock.advance(LEASE_SECONDS + 1.0)
    shop.refuses(409, "request_in_flight", Claim(ONE.replica, "a duplicate that reached the same replica"))
    shop.refuses(409, "request_in_flight", OTHER)
    assert shop.store.end("k", ONE, ANSWER)


def test_answers_that_are_too_large_are_not_kept_and_nothing_is_executed_twice() -> None:
    shop = Shop()
    shop.store.begin("k", "p", ONE)
    assert shop.store.end("k", ONE, Answer(b"x" * (MOST_ANSWER_BYTES + 1)))
    shop.refuses(409, "answer_not_kept", OTHER)


def test_answers_are_forgotten_after_a_day_and_beyond_the_most_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    shop.store.begin("old", "p", ONE)
    shop.store.end("old", ONE, ANSWER)
    shop.clock.advance(86_401.0)
    shop.store.begin("new", "p", ONE)
    assert shop.store.begin("old", "p", OTHER) is None
    monkeypatch.setattr(rules, "MOST_KEPT", 10)
    for number in range(100):
        shop.store.begin(str(number), "p", ONE)
        shop.store.end(str(number), ONE, ANSWER)
    (count,) = shop.db.execute("SELECT count(*) FROM claims WHERE answered_at IS NOT NULL").fetchone()
    assert count <= 12
    assert shop.store.begin("99", "p", OTHER) == ANSWER


class Direct:
    """`Claims` of one replica whose keeper is in the same process."""

    def __init__(self, keeper: Keeper, replica: str) -> None:
        self._keeper, self._replica, self._n = keeper, replica, 0
        self._claims: dict[str, Claim] = {}

    async def begin(self, key: str, payload_sha256: str) -> Answer | None:
        self._n += 1
        claim = Claim(self._replica, str(self._n))
        kept: Answer | None = await self._keeper.call("claims", "begin", key, payload_sha256, claim)
        if kept is None:
            self._claims[key] = claim
        return kept

    async def end(self, key: str, answer: Answer | None) -> None:
        await self._keeper.call("claims", "end", key, self._claims.pop(key), answer)


def call(key: str | None = "key-1", body: bytes = b"{}", client: str = "c", path: str = "/v1/x") -> Call:
    headers = {} if key is None else {b"idempotency-key": key.encode("latin-1")}
    return Call("POST", path, {}, None, headers, body, None, Client(client, frozenset([Scope.INFER])), "r")


class Handler:
    """Counts what it executes, and answers once it is let."""

    def __init__(self, answer: Answer | Exception | None = None) -> None:
        self.n, self.answer, self.let = 0, answer, asyncio.Event()

    async def __call__(self, call: Call) -> Answer:
        self.n += 1
        await self.let.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or Answer(f'{{"n":{self.n}}}'.encode())


def keeper_in(folder: Path) -> Keeper:
    clock = FakeClock(1_000.0)
    return Keeper(folder / "k.sqlite3", {"claims": lambda db: ClaimStore(db, clock)})


async def outcome(execution: Any) -> Any:
    try:
        return await execution
    except Refusal as refusal:
        return refusal.code


def test_of_a_thousand_racing_requests_with_one_key_one_is_executed(tmp_path: Path) -> None:
    async def race() -> None:
        keeper, handler = keeper_in(tmp_path), Handler()
        replicas: list[Claims] = [Direct(keeper, f"r{number}") for number in range(4)]
        handles = [idempotent(handler, replica) for replica in replicas]
        racing = [asyncio.create_task(outcome(handles[number % 4](call()))) for number in range(1_000)]
        await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
        while sum(task.done() for task in racing) < 999:
            await asyncio.sleep(0.01)
        handler.let.set()
        answers = await asyncio.gather(*racing)
        assert handler.n == 1
        assert sum(answer == "request_in_flight" for answer in answers) == 999
        late = [await outcome(handle(call())) for handle in handles]
        assert handler.n == 1
        assert all(isinstance(answer, Answer) and answer.body == b'{"n":1}' for answer in late)
        assert late[0].headers == [(b"idempotent-replayed", b"true")]
        assert await outcome(handles[0](call(body=b"[]"))) == "idempotency_mismatch"
        await keeper.close()

    asyncio.run(race())


def test_keys_belong_to_a_client_and_an_operation_and_no_key_means_no_claim(tmp_path: Path) -> None:
    async def ask() -> None:
        keeper, handler = keeper_in(tmp_path), Handler()
        handler.let.set()
        handle = idempotent(handler, Direct(keeper, "r"))
        for one in (call(), call(client="d"), call(path="/v1/y"), call(key="key-2"), call(None), call(None)):
            await handle(one)
        assert handler.n == 6
        await handle(call())
        assert handler.n == 6
        for bad in ("", "a b", "\t", "x" * 256, "caf\xe9"):
            assert await outcome(handle(call(bad))) == "bad_idempotency_key"
        await keeper.close()

    asyncio.run(ask())


async def _pieces() -> AsyncIterator[bytes]:
    yield b"data: x\n\n"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"{}", 503),
        Answer(b"{}", 429),
        Answer(_pieces(), content_type=b"text/event-stream"),
        Refusal(422, "no", "not so"),
        RuntimeError("broke"),
    ],
)
def test_what_did_not_come_to_an_answer_gives_the_key_back(tmp_path: Path, answer: Answer | Exception) -> None:
    async def ask() -> None:
        keeper, handler = keeper_in(tmp_path), Handler(answer)
        handler.let.set()
        handle = idempotent(handler, Direct(keeper, "r"))
        for _ in range(2):
            try:
                await handle(call())
            except (Refusal, RuntimeError) as failure:
                assert failure is answer
        assert handler.n == 2
        await keeper.close()

    asyncio.run(ask())


def test_a_stream_whose_client_went_away_before_it_began_is_closed(tmp_path: Path) -> None:
    async def ask() -> None:
        closed = asyncio.Event()

        class Unread(AsyncIterator[bytes]):
            async def __anext__(self) -> bytes:
                raise AssertionError("nobody is left to read it")

            async def aclose(self) -> None:
                closed.set()

        keeper, handler = keeper_in(tmp_path), Handler(Answer(Unread()))
        gone = asyncio.ensure_future(idempotent(handler, Direct(keeper, "r"))(call()))
        while not handler.n:
            await asyncio.sleep(0.001)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        handler.let.set()
        async with asyncio.timeout(20):
            await closed.wait()
        await keeper.close()

    asyncio.run(ask())


def test_a_client_that_goes_away_finds_its_answer_when_it_comes_back(tmp_path: Path) -> None:
    async def ask() -> None:
        keeper, handler = keeper_in(tmp_path), Handler()
        handle = idempotent(handler, Direct(keeper, "r"))
        gone = asyncio.ensure_future(handle(call()))
        while not handler.n:
            await asyncio.sleep(0.001)
        gone.cancel()
        assert await outcome(handle(call())) == "request_in_flight"
        handler.let.set()
        while (answer := await outcome(handle(call()))) == "request_in_flight":
            await asyncio.sleep(0.001)
        assert (answer.body, handler.n) == (b'{"n":1}', 1)
        await keeper.close()

    asyncio.run(ask())
