"""Keys come from the environment and go to the provider, and nowhere else: every artefact of a run is searched for
them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, write_suite

KRINS = str(Path(sys.executable).with_name("krins-eval"))
KEY = "sk-planted-0123456789abcdef"


@pytest.mark.parametrize("model", ["p-60", "p-60!auth", "p-60!error_in_stream", "p-60!half_closed"])
def test_a_key_is_in_no_artefact_of_a_run(start_server: Callable[..., FakeServer], tmp_path: Path, model: str) -> None:
    server = start_server()
    environment = live_environment(server.base_url, [model], include={"difficulty": ["easy"]})
    for name, provider, url in (
        (f"{model}-a", "anthropic", server.url),
        (f"{model}-r", "openai", server.base_url),
        (f"{model}-g", "google", server.url),
    ):
        environment["models"].append(
            {**environment["models"][0], "name": name, "model": model, "provider": provider, "base_url": url}
        )
    for spec in environment["models"]:
        spec |= {"api_key_env": "KRINS_TEST_KEY", "max_tries": 1}
    suite = write_suite(tmp_path, environment, [f"fixed:{spec['name']}" for spec in environment["models"]])
    spans = tmp_path / "spans.txt"
    variables = {**os.environ, "KRINS_TEST_KEY": KEY, "OTEL_TRACES_EXPORTER": "console"}
    command = [KRINS, "run", str(suite), "--home", str(tmp_path / "home"), "--workers", "0", "--json", "result.json"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=300)
    spans.write_text(done.stdout + done.stderr)
    assert (done.returncode == 0) == (model == "p-60"), done.stderr
    assert "chat" in spans.read_text()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "journal.jsonl" for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
