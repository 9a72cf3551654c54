"""One running service for all tests of it: the real command, on the tests' Ray, in front of a fake provider."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.fake_provider import ROOT, TASKS, FakeServer, start_fake_provider

PROVIDER_KEY = "planted-4f1d8a52c07b93e6"
"""Of the fake provider that is asked through Anthropic's API; no file may ever hold it."""
os.environ["KRINS_PLANTED_KEY"] = PROVIDER_KEY  # before any Ray starts, for replicas have its environment
MODELS = {"smollm2-135m": "p-0", "qwen2.5-coder-0.5b": "p-50", "qwen2.5-coder-1.5b": "p-100"}


@dataclass(frozen=True)
class RunningService:
    url: str
    admin_key: str
    home: Path
    provider: FakeServer
    process: subprocess.Popen[bytes]
    """The command that runs it; its replicas are Ray's."""
    log: Path
    dead_end_port: int
    """Where the model `dead-end` is asked: nobody listens, unless a test does."""


@pytest.fixture(scope="session")
def service(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service with two replicas, keys on, and the quickstart's Thompson router."""
    import ray

    folder = tmp_path_factory.mktemp("service")
    provider_folder = folder / "provider"
    provider_folder.mkdir()
    provider = start_fake_provider(provider_folder, "--tasks", str(TASKS))
    port, dead_end_port = free_port(), free_port()
    config, home = folder / "config.yaml", folder / "home"
    content = configuration(home, port, provider.url)
    content["applications"][0]["args"]["models"] += _beside(provider.url, dead_end_port)
    config.write_text(yaml.safe_dump(content))
    address = ray.get_runtime_context().gcs_address
    log = folder / "log"
    admin_key = add_key(home, "admin")
    environ = {**os.environ, "KRINS_NO_PAID_CALLS": "1"}
    command = [sys.executable, "-m", "serve", "--config", str(config), "--address", address]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, log)
        yield RunningService(url, admin_key, home, provider, process, log, dead_end_port)
    finally:
        process.terminate()
        process.wait(60)
        provider.stop()


def _beside(upstream: str, dead_end_port: int) -> list[dict[str, Any]]:
    """Models that are no arms of the router, and so dear that they are never fallen back to before an arm."""
    prices = {"usd_per_million_input_tokens": "10", "usd_per_million_output_tokens": "20"}
    dead_end = {"name": "dead-end", "base_url": f"http://127.0.0.1:{dead_end_port}/v1", "max_tries": 1}
    key = {"api_key_env": "KRINS_PLANTED_KEY", "provider": "anthropic"}
    by_messages = {"name": "by-messages", "model": "p-100", "base_url": upstream, **key}
    return [{**dead_end, "model": "p-100", **prices}, {**by_messages, **prices}]


def configuration(home: Path, port: int, upstream: str, **arguments: object) -> dict[str, Any]:
    prices = {"usd_per_million_input_tokens": "0.04", "usd_per_million_output_tokens": "0.08"}
    models = [{"name": name, "model": model, "base_url": f"{upstream}/v1", **prices} for name, model in MODELS.items()]
    args = {
        "router": f"suite:{ROOT / 'evals' / 'quickstart.yaml'}#thompson",
        "home": str(home),
        "port": port,
        "replicas": 2,
        "label": "fake provider",
        "models": models,
        **arguments,
    }
    application = {"name": "krins", "import_path": "serve.app:build", "args": args}
    return {"proxy_location": "Disabled", "applications": [application]}


def add_key(home: Path, scope: str, *options: str) -> str:
    """Make an API key with the command that users have."""
    command = [sys.executable, "-m", "serve.security.keys", "--home", str(home), "add", "--scope", scope, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return next(word for word in done.stdout.split() if word.startswith("krins_"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 120.0) -> None:
    until, last = time.monotonic() + seconds, "no answer"
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=5):
                return
        except urllib.error.HTTPError as refusal:
            last = refusal.read().decode()[:500]
        except OSError as failure:
            last = str(failure)
        time.sleep(0.2)
    raise AssertionError(f"the service is not ready ({last}): {log.read_text()[-3000:]}")
