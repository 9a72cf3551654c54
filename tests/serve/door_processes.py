"""Processes that share one port, each a door with the routes of `tests.serve.door_app` behind a listener."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Replicas:
    """Processes that share one port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, max_in_flight: int = 256) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.serve.door_app", str(self._folder), str(self.port), str(max_in_flight)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout is not None and process.stdout.readline().strip() == str(self.port)
        return process

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
