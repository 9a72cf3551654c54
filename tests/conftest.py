"""What tests of several rooms share: fake providers, a Ray, and the absence of the user's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fake_provider import ROOT, TASKS, FakeServer, start_fake_provider

__all__ = ["ROOT", "TASKS", "FakeServer"]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., FakeServer]]:
    """Start fake providers that solve tasks and end with the test."""
    servers: list[FakeServer] = []

    def start(delay_seconds: float = 0.0, tasks: Path = TASKS) -> FakeServer:
        folder = tmp_path / f"fake-provider-{len(servers)}"
        folder.mkdir()
        servers.append(start_fake_provider(folder, "--tasks", str(tasks), "--delay", str(delay_seconds)))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests meet neither the user's state nor the user's servers."""
    for variable in ("KRINS_HOME", "MLFLOW_TRACKING_URI", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("KRINS_NO_PAID_CALLS", "1")


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One Ray for all tests: starting it costs more than most of them together."""
    from krins.runs.actors import ray_session

    with ray_session(None, workers=2):
        yield
