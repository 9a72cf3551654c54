"""The HTTP client under every SDK: how much it takes, how long it tries to connect, and that it goes nowhere else."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from krins.errors import BadRequest, BrokenReply, TimedOut
from krins.models.providers.http import MAX_BODY_BYTES
from krins.models.spec import ProviderName
from tests.models.providers.servers import EVENTS, JSON, canned, fault_of_asking, ignore, run, spec
from tests.support.fault_matrix import PROVIDERS

SMALL_BOMB = gzip.compress(b" " * (MAX_BODY_BYTES + 1))


@contextmanager
def full_backlog() -> Iterator[str]:
    """The URL of a server that accepts no connection, and refuses none either."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        clients = [socket.socket() for _ in range(3)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            for client in clients:
                client.close()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_body_is_bounded_by_what_it_is_when_unpacked(provider: ProviderName, is_streamed: bool) -> None:
    async def play() -> None:
        headers = (EVENTS if is_streamed else JSON) | {"content-encoding": "gzip"}
        async with canned(SMALL_BOMB, headers=headers) as server:
            fault = await fault_of_asking(spec(provider, server.url), ignore if is_streamed else None)
        assert isinstance(fault, BrokenReply)
        assert "the answer exceeds 32 MiB" in fault.message
        assert fault.may_be_billed

    run(play())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_connecting_ends_in_time_and_is_not_billed(provider: ProviderName) -> None:
    async def play() -> None:
        with full_backlog() as url:
            fault = await fault_of_asking(spec(provider, url, connect_timeout_seconds=0.05))
        assert isinstance(fault, TimedOut)
        assert not fault.may_be_billed

    run(play())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_redirect_is_a_wrong_address(provider: ProviderName) -> None:
    async def play() -> None:
        async with canned(b"", 302, {"location": "http://127.0.0.1:9/elsewhere"}) as server:
            fault = await fault_of_asking(spec(provider, server.url))
        assert isinstance(fault, BadRequest)
        assert "base_url" in fault.remedy

    run(play())
