"""The service of the soak, and what stands around it: a registry, three providers that fail, a Ray of its own.

Each provider speaks another wire format and fails a fifth of its calls. The router is LinUCB, tuned on a table in which
each model is good at one category of tasks. Left out: callers (`serving_soak_client`), and when what happens
(`serving_soak`).
"""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from serving_load import process, tree, wait_until_answers
from serving_soak_client import BAD, BEST, GOOD

from serve.home import actor_name

ROOT = Path(__file__).parents[1]
PORT = 18030
URL = f"http://127.0.0.1:{PORT}"
_KRINS_EVAL = str(Path(sys.executable).with_name("krins-eval"))
_FAULTS = {
    "server_error": 0.04,
    "overloaded": 0.03,
    "rate_limited:1": 0.03,
    "slow_first_byte:1": 0.02,
    "half_closed": 0.02,
    "reset": 0.02,
    "missing_final_event": 0.01,
    "error_in_stream": 0.01,
    "truncated_json": 0.01,
    "stall:1": 0.01,
}
assert round(sum(_FAULTS.values()), 9) == 0.2
_PROVIDERS = {"chat-model": "openai-chat", "responses-model": "openai", "messages-model": "anthropic"}
_SUITE = {
    "version": 1,
    "name": "soak",
    "seed": 1,
    "replications": 16,
    "passes": 5,
    "environment": {"kind": "recorded", "table": "table.csv"},
    "reward": {"quality": 1.0, "per_usd": 500},
    "features": {"fields": ["category"]},
    "routers": ["linucb"],
}
_ROUTER = """
import sys, ray
ray.init(address=sys.argv[1], namespace="krins", log_to_driver=False, logging_level="error")
print(ray.get(ray.get_actor(sys.argv[2]).ask.remote("router", {}))["router"])
"""


class Process(NamedTuple):
    kind: str
    id: int
    pss_mb: float
    """Proportional set size: of pages that are shared, its share."""
    cpu_seconds: float


class Service:
    def __init__(self, folder: Path, replicas: int) -> None:
        self._folder, self._home, self._n_replicas, self._pid = folder, folder / "home", replicas, 0
        _write_suite(folder)

    def add_key(self, *scopes: str) -> str:
        """Make an API key with the command that users have."""
        command = [sys.executable, "-m", "serve.security.keys", "--home", str(self._home), "add"]
        options = [f"--scope={scope}" for scope in scopes]
        done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=True)
        return next(word for word in done.stdout.split() if word.startswith("krins_"))

    def register(self, seed: int) -> subprocess.Popen[bytes]:
        """Tune the router anew; what is found becomes the champion."""
        command = [_KRINS_EVAL, "tune", str(self._folder / "soak.yaml"), "--home", str(self._home)]
        options = ["--register", "soak", "--seed", str(seed), "--candidates", "2"]
        with (self._folder / f"tune-{seed}.log").open("wb") as log:
            return subprocess.Popen([*command, *options], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Providers and the service; ended with the block, the service first."""
        config = self._folder / "config.yaml"
        config.write_text(yaml.safe_dump(self._configuration()))
        shares = [f"--fault={fault}={share}" for fault, share in _FAULTS.items()]
        with ExitStack() as running:
            for number in range(1, len(_PROVIDERS) + 1):
                options = ["--port", str(PORT + number), "--seed", str(number), "--delay", "0.02", *shares]
                running.enter_context(process([_KRINS_EVAL, "fake-provider", *options]))
            log = running.enter_context((self._folder / "service.log").open("wb"))
            command = [sys.executable, "-m", "serve", "--config", str(config)]
            self._pid = running.enter_context(process(command, _environ(), log))
            wait_until_answers(f"{URL}/health/ready")
            self._await_replicas(120)
            yield

    @property
    def is_complete(self) -> bool:
        """Whether every replica listens."""
        return _listening(PORT) == self._n_replicas

    def kill_the_youngest(self) -> None:
        """Replica, with SIGKILL."""
        replicas = [each for each in tree(self._pid) if _kind(each) == "replica"]
        max(replicas, key=psutil.Process.create_time).send_signal(signal.SIGKILL)
        while self.is_complete:
            time.sleep(0.01)

    def processes(self) -> Iterator[Process]:
        """All of the service's and of its Ray's."""
        for each in tree(self._pid):
            with suppress(psutil.Error, OSError, StopIteration):
                spent = each.cpu_times()
                lines = Path(f"/proc/{each.pid}/smaps_rollup").read_text().splitlines()
                pss_kb = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
                yield Process(_kind(each), each.pid, pss_kb / 1e3, spent.user + spent.system)

    def live_router(self) -> str:
        """The learner's own word, once all replicas are there again."""
        self._await_replicas(60)
        words = [word for each in tree(self._pid) for word in _command(each)]
        address = next(word.partition("=")[2] for word in words if word.startswith("--gcs-address="))
        command = [sys.executable, "-c", _ROUTER, address, actor_name("learner", self._home)]
        environ = {**_environ(), "RAY_AUTH_MODE": "token"}  # as the service's own Ray has it
        asked = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, text=True)
        return asked.stdout.strip().splitlines()[-1]

    def _await_replicas(self, seconds: float) -> None:
        """Raises TimeoutError."""
        until = time.monotonic() + seconds
        while not self.is_complete:
            if time.monotonic() > until:
                raise TimeoutError(f"{_listening(PORT)} of {self._n_replicas} replicas listen")
            time.sleep(0.1)

    def _configuration(self) -> dict[str, Any]:
        models = [
            {
                "name": name,
                "provider": provider,
                "model": "fake",
                "base_url": f"http://127.0.0.1:{PORT + number}{'' if provider == 'anthropic' else '/v1'}",
                "usd_per_million_input_tokens": "0.04",
                "usd_per_million_output_tokens": "0.08",
            }
            for number, (name, provider) in enumerate(_PROVIDERS.items(), 1)
        ]
        arguments = {
            "router": "models:/soak@champion",
            "home": str(self._home),
            "port": PORT,
            "replicas": self._n_replicas,
            "label": "fake provider",
            "models": models,
        }
        application = {"name": "krins", "import_path": "serve.app:build", "args": arguments}
        return {"proxy_location": "Disabled", "applications": [application]}


def _environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _write_suite(folder: Path) -> None:
    """A world in which each model is good at one category, so that a router which looks at it wins the search."""
    rng = random.Random(5)
    rows = [
        {
            "task_id": f"t{task}",
            "model": model,
            "sample": sample,
            "quality": float(rng.random() < (GOOD if BEST[category] == model else BAD)),
            "cost_usd": 0.00002,
            "category": category,
            "prompt": f"{category}: mend function {task * 7919} {rng.random()}",
        }
        for task in range(60)
        for category in [list(BEST)[task % len(BEST)]]
        for model in _PROVIDERS
        for sample in range(2)
    ]
    with (folder / "table.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    (folder / "soak.yaml").write_text(yaml.safe_dump(_SUITE))


def _command(each: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return each.cmdline()
    return []


def _kind(each: psutil.Process) -> str:
    """Ray names processes after the actor that lives there."""
    command = " ".join(_command(each))
    named = {"ServeReplica": "replica", "LearnerActor": "learner", "KeeperActor": "keeper", "-m serve": "driver"}
    return next((kind for word, kind in named.items() if word in command), "Ray")


def _listening(port: int) -> int:
    """How many sockets listen there: each replica has one, once it serves."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(fields[1].endswith(f":{port:04X}") and fields[3] == "0A" for fields in map(str.split, lines))
