"""The door, over a real socket: matching, refusals in each dialect, bodies, streams, and what may not leak."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from krins.runs.journal import read_journal
from serve.door import Limits
from tests.serve.door_app import ADMIN_KEY, CountingMeters, Streams, listening, make_door, sample_routes

KEY = {"authorization": f"Bearer {ADMIN_KEY}"}
JSON = {**KEY, "content-type": "application/json"}


class Caller:
    """A client of one door."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def __call__(
        self, method: str, path: str, headers: dict[str, str] | None = None, data: Any = None
    ) -> tuple[int, dict[str, str], bytes]:
        asked = self.session.request(method, self.url + path, headers=KEY if headers is None else headers, data=data)
        async with asked as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read()


def served(folder: Path, use: Callable[[Caller], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        streams = options.pop("streams", None) or Streams()
        door = make_door(folder, sample_routes(streams), **options)
        async with listening(door) as listener, aiohttp.ClientSession() as session:
            await use(Caller(session, f"http://127.0.0.1:{listener.port}"))

    asyncio.run(run())


def error_of(body: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(body)["error"]
    return error


def test_a_request_goes_to_its_route_with_its_parameters(tmp_path: Path) -> None:
    meters = CountingMeters()

    async def use(call: Caller) -> None:
        status, headers, body = await call("POST", "/echo/a%20b/c", JSON, b'{"text":"x","times":3}')
        assert status == 200
        assert json.loads(body) == {"text": "xxx", "key_id": "admin", "path": {"name": "a b", "what": "c"}}
        assert headers["content-length"] == str(len(body))
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        status, _, body = await call("GET", "/page?limit=3")
        assert json.loads(body) == {"limit": 3}

    served(tmp_path, use, meters=meters)
    assert meters.requests == [("/echo/{name}/{what}", 200), ("/page", 200)]


def test_what_is_not_there_is_404_and_another_method_405_with_allow(tmp_path: Path) -> None:
    async def use(call: Caller) -> None:
        for path in ("/nowhere", "/echo/", "/echo/a", "/echo/a/b/c", "/echo/a/%2e%2e%2fetc"):
            status, _, body = await call("GET", path)
            assert (status, error_of(body)["code"]) == (404, "no_such_route")
        status, headers, _ = await call("DELETE", "/echo/a/b")
        assert (status, headers["allow"]) == (405, "GET, HEAD, POST")
        assert (await call("HEAD", "/empty"))[0] == 200
        status, _, body = await call("GET", "/v1/chat/completions")
        assert (status, error_of(body)["type"]) == (405, "invalid_request_error")

    served(tmp_path, use)


@pytest.mark.parametrize(
    ("asked", "is_kept"),
    [("req-1", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("é", False)],
)
def test_a_request_id_is_kept_if_it_can_be_echoed_safely(tmp_path: Path, asked: str, is_kept: bool) -> None:
    async def use(call: Caller) -> None:
        _, headers, _ = await call("GET", "/empty", {**KEY, "x-request-id": asked})
        assert (headers["x-request-id"] == asked) == is_kept
        assert len(headers["x-request-id"]) >= 5

    served(tmp_path, use)


def test_refusals_have_the_shape_of_the_dialect(tmp_path: Path) -> None:
    async def use(call: Caller) -> None:
        status, headers, body = await call("POST", "/v1/chat/completions", JSON, b'{"model":1}')
        assert status == 422
        error = error_of(body)
        assert set(error) == {"message", "type", "param", "code"}
        assert (error["type"], error["param"]) == ("invalid_request_error", "model")
        status, headers, body = await call("POST", "/v1/messages", {"content-type": "application/json"}, b"{}")
        assert status == 401
        assert headers["www-authenticate"].startswith("Bearer")
        content = json.loads(body)
        assert content["type"] == "error" and content["error"]["type"] == "authentication_error"
        assert content["request_id"] == headers["x-request-id"]
        status, headers, body = await call("GET", "/refusal")
        assert (status, headers["retry-after"]) == (409, "1")
        assert error_of(body) == {"code": "in_flight", "message": "another one is at it", "remedy": "wait"}

    served(tmp_path, use)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"[" * 100_000 + b"]" * 100_000, 400, "invalid_json"),
        (b'{"text":"x","deep":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, 400, "invalid_json"),
        (b"[]", 422, "invalid_request"),
        (b'{"text":""}', 422, "invalid_request"),
        (b'{"text":"x","other":1}', 422, "invalid_request"),
        (b'{"text":"\\ud800"}', 400, "invalid_json"),
        (b'{"\\ud800":1,"text":"x"}', 400, "invalid_json"),
    ],
)
def test_what_is_no_json_is_400_and_what_is_not_the_schema_422(
    tmp_path: Path, body: bytes, status: int, code: str
) -> None:
    async def use(call: Caller) -> None:
        got, _, answer = await call("POST", "/echo", JSON, body)
        assert (got, error_of(answer)["code"]) == (status, code)

    served(tmp_path, use)


def test_a_body_is_judged_before_it_is_read(tmp_path: Path) -> None:
    async def pieces() -> Any:
        for _ in range(100):
            yield b"x" * 1000

    async def use(call: Caller) -> None:
        status, headers, _ = await call("POST", "/echo", JSON, b"x" * 80_000)
        assert (status, headers["connection"]) == (413, "close")
        status, _, _ = await call("POST", "/echo", JSON, pieces())
        assert status == 413
        status, _, _ = await call("POST", "/echo", {**KEY, "content-type": "text/plain"}, b"{}")
        assert status == 415
        status, _, body = await call("POST", "/echo", {**JSON, "content-encoding": "gzip"}, b"\x1f\x8b")
        assert (status, error_of(body)["code"]) == (415, "unsupported_encoding")
        status, _, _ = await call(
            "POST", "/echo", {**KEY, "content-type": "Application/JSON; charset=utf-8"}, b'{"text":"x"}'
        )
        assert status == 200

    served(tmp_path, use, limits=Limits(max_body_bytes=10_000))


def test_a_body_that_stalls_is_408(tmp_path: Path) -> None:
    async def run() -> None:
        door = make_door(tmp_path, sample_routes(Streams()), limits=Limits(body_stall_seconds=0.05))
        async with listening(door) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            head = f"POST /echo HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {ADMIN_KEY}\r\ncontent-length: 20\r\n"
            writer.write(f"{head}content-type: application/json\r\n\r\n{{".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
            writer.close()

    asyncio.run(run())


def test_not_ready_is_503_on_all_routes_but_those_that_tell_why(tmp_path: Path) -> None:
    async def use(call: Caller) -> None:
        status, headers, body = await call("GET", "/empty")
        assert (status, headers["retry-after"]) == (503, "1")
        assert "disk is full" in error_of(body)["message"]
        assert (await call("GET", "/empty", {}))[0] == 401
        assert (await call("GET", "/health/live", {}))[0] == 200

    served(tmp_path, use, unready=lambda: "the disk is full")


def test_beyond_the_limit_requests_are_refused_at_once_but_not_health(tmp_path: Path) -> None:
    async def use(call: Caller) -> None:
        async with call.session.get(call.url + "/stream", headers=KEY):
            status, headers, body = await call("GET", "/empty")
            assert (status, headers["retry-after"], error_of(body)["code"]) == (429, "1", "overloaded")
            assert (await call("GET", "/health/live"))[0] == 200

    served(tmp_path, use, limits=Limits(max_in_flight=1))


def test_a_stream_is_closed_when_its_caller_goes(tmp_path: Path) -> None:
    streams = Streams()

    async def use(call: Caller) -> None:
        for _ in range(3):
            async with call.session.get(call.url + "/stream", headers=KEY) as answer:
                await answer.content.readany()
        while streams.closed < 3:
            await asyncio.sleep(0.01)

    meters = CountingMeters()
    served(tmp_path, use, streams=streams, meters=meters)
    assert streams.begun == streams.closed == 3
    assert meters.requests == [("/stream", 499)] * 3


def test_a_stream_that_breaks_does_not_end_as_if_it_were_whole(tmp_path: Path) -> None:
    async def use(call: Caller) -> None:
        with pytest.raises(aiohttp.ClientPayloadError):
            await call("GET", "/broken")

    served(tmp_path, use)


def test_a_fault_tells_nothing_of_the_inside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def use(call: Caller) -> None:
        status, headers, body = await call("GET", "/fault")
        assert status == 500
        assert b"inside" not in body and ADMIN_KEY.encode() not in body
        assert headers["x-request-id"] in error_of(body)["message"]

    with caplog.at_level(logging.ERROR):
        served(tmp_path, use)
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_headers_of_handlers_cannot_inject_headers(tmp_path: Path) -> None:
    async def use(call: Caller) -> None:
        status, headers, _ = await call("GET", "/injection")
        assert status == 200
        assert "set-cookie" not in headers
        assert headers["x-arm"] == "a  set-cookie: b=c"
        assert "default-src 'none'" in headers["content-security-policy"]

    served(tmp_path, use)


def test_a_header_that_may_come_once_is_refused_twice(tmp_path: Path) -> None:
    async def run() -> None:
        async with listening(make_door(tmp_path, sample_routes(Streams()))) as listener:
            for name in ("authorization", "host", "content-type", "x-request-id"):
                reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
                writer.write(f"GET /empty HTTP/1.1\r\nhost: a\r\n{name}: a\r\n{name}: b\r\n\r\n".encode())
                assert (await reader.readline()).startswith(b"HTTP/1.1 400")
                writer.close()

    asyncio.run(run())


def test_an_administrators_action_is_written_down_before_and_after(tmp_path: Path) -> None:
    async def use(call: Caller) -> None:
        assert (await call("POST", "/freeze", {**KEY, "x-request-id": "r1"}))[0] == 200
        assert (await call("GET", "/empty", {"x-api-key": "krins_a_guess"}))[0] == 401

    served(tmp_path, use)
    (file,) = (tmp_path / "audit").iterdir()
    records = read_journal(file).records
    assert [(record["event"], record["outcome"]) for record in records] == [
        ("admin", "begun"),
        ("admin", "200"),
        ("turned_away", "401"),
    ]
    assert (records[0]["key_id"], records[0]["path"], records[0]["request_id"]) == ("admin", "/freeze", "r1")
    assert records[2]["remote"] == "127.0.0.1"
    assert "krins_a_guess" not in file.read_text() and ADMIN_KEY not in file.read_text()
