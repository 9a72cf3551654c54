"""What does the service add to a request, beside bare Ray Serve and other gateways, in one run?

    python experiments/serving_latency.py [--litellm VENV/bin/litellm] [--portkey NODE_MODULES] [--rounds 5]

All stand at once on this machine in front of the same upstream, which answers at once; one is asked at a time, in turn,
in each round, at 1, 8 and 32 connections. Ours checks API keys, routes by Thompson sampling with an exploration floor,
journals each decision and answer, keeps metrics; it has one replica, as bare Ray has, which runs in Ray's
throughput-optimised mode and is asked at its replica's own port. Ours is asked at the port that its replicas share, and
in the same mode of Ray at its replica's own port as well. LiteLLM (`litellm[proxy]`, bytecode compiled, opentelemetry
installed) and portkey (`@portkey-ai/gateway`) are left out where they are not given. A ratio is the median over rounds,
with the least and the greatest. Added: the median latency minus the upstream's own in the same round. Processor time is
that of the whole process tree, Ray's own included. Exit 1 if a ratio is not what is required of it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import click
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from serving_load import CHAT, Load, cpu_seconds, load, memory_mb, process, wait_until_answers

_ROOT = Path(__file__).parents[1]
_UPSTREAM = "http://127.0.0.1:18700"
_CHAT = "/v1/chat/completions"
_ROUTE = {"prompt": "Write a function that adds two numbers."}
_FAST = {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
CONCURRENCY = (1, 8, 32)


class Target(NamedTuple):
    """Something that is asked."""

    url: str
    body: Any
    headers: Mapping[str, str]
    pid: int | None


class Seen(NamedTuple):
    """One target, one round, one concurrency."""

    load: Load
    cpu_us: float
    """Of processor time for each request; NaN where it is not known."""


@click.command()
@click.option("--litellm", type=click.Path(path_type=Path, exists=True))
@click.option("--portkey", type=click.Path(path_type=Path, exists=True), help="The folder node_modules.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=3.0, show_default=True)
def main(litellm: Path | None, portkey: Path | None, rounds: int, seconds: float) -> None:
    """Measure, and print a table."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with ExitStack() as running, tempfile.TemporaryDirectory() as folder:
        targets = _start(running, Path(folder), litellm, portkey)
        for target in targets.values():
            wait_until_answers(target.url, target.body, target.headers)
        for target in targets.values():
            load(target.url, 8, 2.0, target.body, target.headers)  # to warm up
        seen = _measure(targets, rounds, seconds)
        memory = {name: memory_mb(target.pid) for name, target in targets.items() if target.pid is not None}
    _show(seen, memory)
    sys.exit(0 if _judge(seen, memory) else 1)


def _start(running: ExitStack, folder: Path, litellm: Path | None, portkey: Path | None) -> dict[str, Target]:
    python = sys.executable

    def start(command: list[str], **env: str) -> int:
        log = running.enter_context((folder / f"{Path(command[0]).name}-{time.monotonic_ns()}.log").open("w"))
        return running.enter_context(process(command, {**os.environ, **env}, log))

    start([python, str(Path(__file__).with_name("serving_load.py")), "upstream", "--port", "18700"])
    bare = start(
        [python, str(Path(__file__).with_name("serving_bare.py")), "--upstream", _UPSTREAM],
        **_FAST,
        **_ports(31000),
    )
    key, ours = _start_ours(start, folder)
    targets = {
        "upstream itself": Target(_UPSTREAM + _CHAT, CHAT, {}, None),
        "no-op, bare Ray": Target("http://127.0.0.1:31000/", None, {}, bare),
        "route, krins": Target("http://127.0.0.1:18000/v1/route", _ROUTE, key, ours),
        "route, krins in Ray's mode": Target("http://127.0.0.1:32000/v1/route", _ROUTE, key, ours),
        "chat, bare Ray": Target("http://127.0.0.1:31000" + _CHAT, CHAT, {}, bare),
        "chat, krins": Target("http://127.0.0.1:18000" + _CHAT, CHAT, key, ours),
        "chat, krins in Ray's mode": Target("http://127.0.0.1:32000" + _CHAT, CHAT, key, ours),
    }
    if portkey is not None:
        script = portkey / "@portkey-ai" / "gateway" / "build" / "start-server.js"
        pid = start(
            ["node", str(script), "--port=18711", "--headless"], TRUSTED_CUSTOM_HOSTS="127.0.0.1", NODE_ENV="production"
        )
        headers = {
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"{_UPSTREAM}/v1",
            "Authorization": "Bearer x",
        }
        targets["chat, portkey"] = Target("http://127.0.0.1:18711" + _CHAT, CHAT, headers, pid)
    if litellm is not None:
        targets["chat, LiteLLM"] = _start_litellm(start, folder, litellm)
    return targets


def _ports(first: int) -> dict[str, str]:
    return {
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + 99),
    }


def _start_ours(start: Callable[..., int], folder: Path) -> tuple[dict[str, str], int]:
    models = ("smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")
    prices = {"usd_per_million_input_tokens": "0.04", "usd_per_million_output_tokens": "0.08"}
    arguments = {
        "router": f"suite:{_ROOT / 'evals' / 'quickstart.yaml'}#thompson",
        "home": str(folder / "home"),
        "port": 18000,
        "replicas": 1,
        "models": [{"name": name, "base_url": f"{_UPSTREAM}/v1", **prices} for name in models],
    }
    config = folder / "config.yaml"
    application = {"name": "krins", "import_path": "serve.app:build", "args": arguments}
    http = {"host": "127.0.0.1", "port": 8802}
    config.write_text(yaml.safe_dump({"http_options": http, "applications": [application]}))
    add = [sys.executable, "-m", "serve.security.keys", "--home", str(folder / "home"), "add", "--scope", "infer"]
    done = subprocess.run(add, cwd=_ROOT, capture_output=True, text=True, check=True)
    key = next(word for word in done.stdout.split() if word.startswith("krins_"))
    pid = start(
        [sys.executable, "-m", "serve", "--config", str(config)], **_FAST, **_ports(32000), PYTHONPATH=str(_ROOT)
    )
    return {"Authorization": f"Bearer {key}"}, pid


def _start_litellm(start: Callable[..., int], folder: Path, litellm: Path) -> Target:
    config = folder / "litellm.yaml"
    model = {
        "model_name": "stub",
        "litellm_params": {"model": "openai/stub", "api_base": f"{_UPSTREAM}/v1", "api_key": "x"},
    }
    key = "sk-" + "0123456789abcdef" * 2
    config.write_text(
        yaml.safe_dump(
            {"model_list": [model], "litellm_settings": {"telemetry": False}, "general_settings": {"master_key": key}}
        )
    )
    pid = start(
        [str(litellm), "--config", str(config), "--port", "18712", "--host", "127.0.0.1", "--num_workers", "1"],
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        LITELLM_LOG="ERROR",
        LITELLM_MODE="PRODUCTION",
    )
    body = {**CHAT, "model": "stub"}
    return Target("http://127.0.0.1:18712" + _CHAT, body, {"Authorization": f"Bearer {key}"}, pid)


def _measure(targets: Mapping[str, Target], rounds: int, seconds: float) -> dict[str, dict[int, list[Seen]]]:
    seen: dict[str, dict[int, list[Seen]]] = {name: {c: [] for c in CONCURRENCY} for name in targets}
    for number in range(rounds):
        for concurrency in CONCURRENCY:
            for name, target in targets.items():
                before = cpu_seconds(target.pid) if target.pid else 0.0
                found = load(target.url, concurrency, seconds, target.body, target.headers)
                spent = cpu_seconds(target.pid) - before if target.pid else float("nan")
                seen[name][concurrency].append(Seen(found, spent / max(found.n, 1) * 1e6))
        click.echo(f"round {number + 1} of {rounds}", err=True)
    return seen


def _ratio(above: list[float], below: list[float]) -> list[float]:
    """Least, median and greatest, round by round."""
    ratios = sorted(a / b for a, b in zip(above, below, strict=True))
    return [ratios[0], statistics.median(ratios), ratios[-1]]


def _show(seen: Mapping[str, Mapping[int, list[Seen]]], memory: Mapping[str, float]) -> None:
    click.echo("| what | connections | p50 ms | added ms | a second | CPU us a request | failed |\n" + "|---" * 7 + "|")
    for name, by_concurrency in seen.items():
        for concurrency, found in by_concurrency.items():
            middle = statistics.median
            added = middle(_added(seen, name, concurrency))
            click.echo(
                f"| {name} | {concurrency} | {middle([s.load.p50_ms for s in found]):.2f} | {added:.2f} | "
                f"{middle([s.load.per_second for s in found]):,.0f} | {middle([s.cpu_us for s in found]):,.0f} | "
                f"{sum(s.load.failures for s in found)} |"
            )
    for name, megabytes in memory.items():
        click.echo(f"memory of the process tree (proportional), {name}: {megabytes:.0f} MB")


def _added(seen: Mapping[str, Mapping[int, list[Seen]]], name: str, concurrency: int) -> list[float]:
    own = seen["upstream itself"][concurrency]
    return [a.load.p50_ms - b.load.p50_ms for a, b in zip(seen[name][concurrency], own, strict=True)]


class Check(NamedTuple):
    """A ratio that is required."""

    what: str
    ratios: list[float]
    """Least, median and greatest."""
    bound: float
    is_upper: bool

    @property
    def holds(self) -> bool:
        return self.ratios[1] <= self.bound if self.is_upper else self.ratios[1] >= self.bound

    def __str__(self) -> str:
        least, middle, most = self.ratios
        bound = f"{'at most' if self.is_upper else 'at least'} {self.bound}"
        return f"{'ok  ' if self.holds else 'MISS'} {self.what}: {middle:.2f} [{least:.2f}, {most:.2f}], {bound}"


def _checks(seen: Mapping[str, Mapping[int, list[Seen]]], concurrency: int) -> Iterator[Check]:
    def p50(name: str) -> list[float]:
        return [each.load.p50_ms for each in seen[name][concurrency]]

    def rate(name: str) -> list[float]:
        return [each.load.per_second for each in seen[name][concurrency]]

    def added(name: str) -> list[float]:
        return _added(seen, name, concurrency)

    at = f"at {concurrency}"
    for way in ("", " in Ray's mode"):
        route, chat = f"route, krins{way}", f"chat, krins{way}"
        yield Check(f"p50 of {route} over no-op {at}", _ratio(p50(route), p50("no-op, bare Ray")), 1.3, True)
        yield Check(f"rate of {route} over no-op {at}", _ratio(rate(route), rate("no-op, bare Ray")), 0.7, False)
        yield Check(f"added by {chat} over bare Ray's {at}", _ratio(added(chat), added("chat, bare Ray")), 1.5, True)
    if "chat, portkey" in seen:
        ratios = _ratio(added("chat, krins"), added("chat, portkey"))
        yield Check(f"added by chat, krins over portkey's {at}", ratios, 1.0, True)
    if "chat, LiteLLM" in seen:
        ratios = _ratio(rate("chat, krins"), rate("chat, LiteLLM"))
        yield Check(f"rate of chat, krins over LiteLLM's {at}", ratios, 8.0, False)


def _judge(seen: Mapping[str, Mapping[int, list[Seen]]], memory: Mapping[str, float]) -> bool:
    """Print every ratio that is required, and tell whether all hold."""
    beside = (memory["chat, krins"] - memory["chat, bare Ray"]) / 500
    checks = [each for concurrency in CONCURRENCY for each in _checks(seen, concurrency)]
    checks.append(Check("memory beside Ray's own, in units of 500 MB", [beside] * 3, 1.0, True))
    for check in checks:
        click.echo(check)
    return all(check.holds for check in checks)


if __name__ == "__main__":
    main()
