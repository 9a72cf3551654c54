"""Metrics that processes share, health that tells why, and the guard over Ray's own ports."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from krins.clock import FakeClock, SystemClock
from krins.errors import UserError
from serve.operations.checks import breakers, disk, memory, peer, ray_exposure, store
from serve.operations.health import Check, Health, PartHealth
from serve.operations.metric_files import process_name
from serve.operations.routes import routes
from serve.security.ray_guard import RayExposure, observe_ray, require_safe_ray
from tests.serve.door_app import ADMIN_KEY, listening, make_door

ROOT = Path(__file__).parents[2]
COUNTING = """
import sys, time
from decimal import Decimal
from pathlib import Path
from serve.operations.meters import PrometheusMeters
meters = PrometheusMeters(Path(sys.argv[1]), "1.2.3", "fake provider")
for count in range(int(sys.argv[2])):
    meters.request("/v1/route", 200, 0.003)
    meters.decision(f"arm-{count}", "sticky: the prompt cache")
meters.upstream("a", "ok", 0.2), meters.spend("a", Decimal("0.25")), meters.tokens("a", "saved", 10)
meters.breaker("one", "open"), meters.queue("dead", 3), meters.feedback("applied"), meters.in_flight(2)
meters.ready(True), meters.disk_free(1000), meters.budget_left("k", 0.5), meters.decision("a", "made up")
if sys.argv[3] == "show":
    sys.stdout.buffer.write(meters.exposition())
else:
    print("counted", flush=True)
    time.sleep(60)
"""


def count(folder: Path, requests: int, then: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COUNTING, str(folder), str(requests), then]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def shown(folder: Path, requests: int) -> dict[str, float]:
    text, _ = count(folder, requests, "show").communicate()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def test_a_killed_process_keeps_what_it_counted_and_loses_what_it_was(tmp_path: Path) -> None:
    with count(tmp_path, 5, "wait") as other:
        assert other.stdout is not None and other.stdout.readline() == "counted\n"
        both = shown(tmp_path, 2)
        assert both['krins_requests_total{route="/v1/route",status="200"}'] == 7
        assert both["krins_in_flight"] == 4
        assert both['krins_breaker_open{endpoint="one"}'] == 1
        other.send_signal(signal.SIGKILL)
    for more in (1, 1):
        one = shown(tmp_path, more)
    assert one['krins_requests_total{route="/v1/route",status="200"}'] == 9
    assert one['krins_request_seconds_bucket{le="0.005",route="/v1/route"}'] == 9
    assert one['krins_request_seconds_count{route="/v1/route"}'] == 9
    assert one['krins_spend_usd_total{model="a"}'] == 1.0
    assert one["krins_in_flight"] == 2
    assert one['krins_build_info{models="fake provider",version="1.2.3"}'] == 1
    # Four processes were there, and the dead are two files.
    assert len(list(tmp_path.glob("counter_*.db"))) == 2


def test_callers_cannot_make_time_series_without_bound(tmp_path: Path) -> None:
    found = shown(tmp_path, 1000)
    arms = {name for name in found if name.startswith("krins_decisions_total")}
    assert 200 <= len(arms) <= 203
    assert found['krins_decisions_total{model="other",reason="sticky"}'] == 800
    assert 'krins_decisions_total{model="other",reason="other"}' in found


def test_files_have_their_place_on_the_disk_before_they_are_mapped(tmp_path: Path) -> None:
    shown(tmp_path, 1)
    for path in tmp_path.glob("*.db"):
        assert path.stat().st_blocks * 512 >= path.stat().st_size
    pid = os.getpid()
    assert re.fullmatch(rf"{pid}-\d+", process_name(pid))


async def _ok() -> PartHealth:
    return PartHealth(status="ok")


def test_a_required_part_is_needed_and_another_only_degrades() -> None:
    answers: dict[str, Any] = {"learner": {"version": 3}, "keeper": {}}

    async def ask(name: str) -> Mapping[str, Any]:
        answer = answers[name]
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return answer

    async def run() -> None:
        checks = [peer(name, lambda name=name: ask(name)) for name in answers]  # type: ignore[misc]
        states = {"one": "closed"}
        health = Health([*checks, breakers(lambda: states)], FakeClock(), "fake provider", "1")
        assert health.unready() == "learner: not looked at yet; keeper: not looked at yet"
        await health.look()
        assert (health.unready(), health.report().status) == ("", "ok")
        assert health.report().parts["learner"].figures == {"version": 3}
        states["one"] = "open"
        answers["keeper"] = ConnectionError("at /secret/path")
        await health.look()
        report = health.report()
        assert health.unready() == "keeper: out of reach (ConnectionError)"
        assert (report.status, report.ready, report.parts["breakers"].status) == ("failed", False, "degraded")
        assert "secret" not in report.model_dump_json()
        answers["keeper"] = {"status": "failed", "message": "the journal cannot be written"}
        await health.look()
        assert health.unready() == "keeper: the journal cannot be written"
        answers["keeper"] = {}
        await health.look()
        assert (health.unready(), health.report().status) == ("", "degraded")

    asyncio.run(run())


def test_a_part_that_hangs_delays_no_other_and_is_not_ready() -> None:
    async def hang() -> PartHealth:
        await asyncio.Event().wait()
        raise AssertionError

    async def run() -> None:
        hanging = Check("hanging", hang, is_required=True, timeout_seconds=0.02)
        health = Health([hanging, Check("other", _ok, is_required=True)], FakeClock(), "", "1")
        await health.look()
        assert health.unready() == "hanging: no answer in 0.02 s"
        assert health.report().parts["other"].status == "ok"

    asyncio.run(run())


def test_checks_that_stopped_are_not_believed() -> None:
    async def run() -> None:
        clock = FakeClock()
        health = Health([Check("disk", _ok, is_required=True)], clock, "", "1")
        await health.look()
        clock.advance(12.0)
        assert health.unready() == "disk: not looked at for 12 s"
        assert health.report().parts["disk"].status == "failed"

    asyncio.run(run())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_noticed_and_heals(small_disk: Path) -> None:
    async def run() -> None:
        free: list[int] = []
        watch = disk(small_disk, free.append)
        assert watch.every_seconds <= 0.5  # so that it is noticed within a second
        health = Health([watch, store(small_disk), memory()], SystemClock(), "", "1")
        running = asyncio.create_task(health.run())
        filling = small_disk / "filling"

        async def until(is_ready: bool) -> None:
            while (health.unready() == "") != is_ready:
                await asyncio.sleep(0.01)

        async def use(port: int) -> None:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

                async def status(path: str) -> int:
                    async with session.get(path) as answer:
                        return answer.status

                await until(is_ready=True)
                assert await status("/health/ready") == 200
                with suppress(OSError), filling.open("wb") as file:
                    while True:
                        file.write(b"x" * 65536)
                await until(is_ready=False)
                assert [await status(f"/health{path}") for path in ("/ready", "/live", "")] == [503, 200, 200]
                assert "the disk is full" in health.unready()
                filling.unlink()
                await until(is_ready=True)
                assert await status("/health/ready") == 200

        door = make_door(small_disk.parent, routes(health, lambda: b""), unready=health.unready)
        async with listening(door) as listener:
            await use(listener.port)
        running.cancel()
        assert min(free) < 2**20 < max(free)

    asyncio.run(run())


def test_metrics_ask_for_a_key_and_health_does_not(tmp_path: Path) -> None:
    async def run() -> None:
        health = Health([ray_exposure(RayExposure(False, False, ()))], FakeClock(), "fake provider", "1")
        await health.look()
        table = routes(health, lambda: b"krins_in_flight 1.0\n")
        assert [route.path for route in table if route.scope is not None] == ["/metrics"]
        async with (
            listening(make_door(tmp_path, table)) as listener,
            aiohttp.ClientSession(f"http://127.0.0.1:{listener.port}") as session,
        ):
            async with session.get("/metrics") as answer:
                assert answer.status == 401
            async with session.get("/metrics", headers={"x-api-key": ADMIN_KEY}) as answer:
                assert answer.status == 200 and await answer.text() == "krins_in_flight 1.0\n"
                assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            async with session.get("/health") as answer:
                report = await answer.json()
        assert (report["status"], report["label"], report["ready"]) == ("degraded", "fake provider", True)
        assert "no token" in report["parts"]["ray"]["message"]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("has_token", "is_private", "beyond", "status"),
    [
        (True, True, ("10.0.0.1:6379",), "ok"),
        (True, True, (), "ok"),
        (True, False, (), "degraded"),
        (True, False, ("10.0.0.1:6379",), "failed"),
        (False, False, (), "degraded"),
        (False, False, ("0.0.0.0:8265",), "failed"),
    ],
)
def test_how_exposed_ray_is(has_token: bool, is_private: bool, beyond: tuple[str, ...], status: str) -> None:
    exposure = RayExposure(has_token, is_private, beyond)
    assert exposure.status == status
    require_safe_ray("127.0.0.1", exposure)
    if status == "failed":
        with pytest.raises(UserError, match="RAY_AUTH_MODE"):
            require_safe_ray("0.0.0.0", exposure)
    else:
        require_safe_ray("0.0.0.0", exposure)


def test_rays_ports_are_found_as_they_are(tmp_path: Path) -> None:
    code = (
        "import socket, sys; s = [socket.create_server((host, 0)) for host in ('127.0.0.1', '0.0.0.0')];"
        "print(s[1].getsockname()[1], flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, "raylet"]
    token = tmp_path / "token"
    token.write_text("x" * 32)
    token.chmod(0o644)
    environ = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        found = observe_ray(environ)
        assert f"0.0.0.0:{port}" in found.beyond_loopback
        assert not any(address.startswith("127.") for address in found.beyond_loopback)
        assert (found.has_token, found.is_token_private) == (True, False)
        token.chmod(0o600)
        assert observe_ray(environ).status == "ok"
        process.communicate()
    assert f"0.0.0.0:{port}" not in observe_ray({}).beyond_loopback
