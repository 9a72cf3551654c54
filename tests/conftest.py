"""What tests of several rooms share: the project's own tasks, and the fake model server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TASKS = ROOT / "evals" / "tasks"


@dataclass(frozen=True)
class FakeServer:
    """A running fake model server; `calls` is its bill."""

    port: int
    log_file: Path

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def calls(self) -> list[str]:
        return self.log_file.read_text().splitlines() if self.log_file.exists() else []


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., FakeServer]]:
    """Start fake model servers that end with the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(delay_seconds: float = 0.0, tasks: Path = TASKS) -> FakeServer:
        port_file, log_file = tmp_path / f"port-{len(processes)}", tmp_path / f"calls-{len(processes)}"
        command = [sys.executable, "-m", "tests.support.completion_server"]
        arguments = [str(port_file), str(log_file), str(tasks), str(delay_seconds)]
        processes.append(subprocess.Popen([*command, *arguments], cwd=ROOT))
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert time.monotonic() < deadline, "the fake model server did not start"
            time.sleep(0.02)
        return FakeServer(int(port_file.read_text()), log_file)

    yield start
    for process in processes:
        process.kill()
        process.wait()


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
