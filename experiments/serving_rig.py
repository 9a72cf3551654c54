"""What experiments/serving_faults.py breaks: plain Ray Serve and ours, in front of an upstream that keeps a ledger.

The upstream appends `S id` when a request begins and `E id` when it is answered, so that afterwards it is known of each
request how often it was executed, whoever died meanwhile. Plain Ray Serve is a pass-through in its default mode, with
proxies; ours is the command `python -m serve`. Each has a Ray and a process group of its own. Left out: the processes
themselves (`serving_rig_parts`), clients (`serving_clients`), and what is broken.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from serving_load import process, wait_until_answers

ROOT = Path(__file__).parents[1]
UPSTREAM_PORT, PLAIN_PORT, OUR_PORT = 18760, 18761, 18762
_PARTS = str(Path(__file__).with_name("serving_rig_parts.py"))
_MARK = "SERVING_RIG"
CHAT = "/v1/chat/completions"
_MODELS = ("smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b")


class Service(NamedTuple):
    """Something that answers chats."""

    port: int
    command: subprocess.Popen[str]
    """Of plain Ray Serve it takes lines: `deploy`."""
    headers: Mapping[str, str]
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def processes(self, pattern: str) -> list[psutil.Process]:
        """Those of its processes whose title matches."""
        return [each for each in self.family() if re.search(pattern, title(each))]

    def family(self) -> list[psutil.Process]:
        """All that it started, by what their environment says: they outlive their parents."""
        found = []
        for each in psutil.process_iter():
            with suppress(psutil.Error):
                if each.environ().get(_MARK) == str(self.folder):
                    found.append(each)
        return found

    def listening(self) -> list[psutil.Process]:
        """Replicas that have their port; they have their title before."""
        found = []
        for each in self.processes("ray::ServeReplica"):
            with suppress(psutil.Error):
                if any(one.status == "LISTEN" and one.laddr.port == self.port for one in each.net_connections()):
                    found.append(each)
        return found

    @property
    def ray_address(self) -> str:
        [raylet] = self.processes(r"/raylet ")
        return next(word.partition("=")[2] for word in raylet.cmdline() if word.startswith("--gcs-address="))

    def rig(self, *arguments: str) -> str:
        """Run a command of this file on its Ray; what it prints."""
        command = [sys.executable, _PARTS, *arguments, "--address", self.ray_address]
        return subprocess.run(
            command, cwd=ROOT, env={**_environ(), "RAY_AUTH_MODE": "token"}, capture_output=True, text=True, check=True
        ).stdout

    def deploy(self) -> None:
        """The same again, with another argument."""
        if self.port == PLAIN_PORT:
            assert self.command.stdin is not None
            self.command.stdin.write("deploy\n")
            self.command.stdin.flush()
            return
        config = yaml.safe_load((self.folder / "config.yaml").read_text())
        arguments = config["applications"][0]["args"]
        arguments["max_in_flight"] += 1
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config))
        self.rig("deploy", "--config", str(self.folder / "config.yaml"))


def title(of: psutil.Process) -> str:
    try:
        return " ".join(of.cmdline())
    except psutil.Error:
        return ""


def chat(name: str) -> dict[str, Any]:
    return {"model": "krins", "messages": [{"role": "user", "content": f"Say hi. id={name}"}], "max_tokens": 16}


def executions(ledger: Path) -> Counter[str]:
    """How often the upstream answered each request."""
    return Counter(line.split()[1] for line in ledger.read_text().splitlines() if line.startswith("E "))


@contextmanager
def upstream(folder: Path, delay_seconds: float) -> Iterator[Path]:
    """An upstream; its ledger."""
    ledger = folder / "ledger"
    ledger.touch()
    command = [sys.executable, _PARTS, "upstream", "--ledger", str(ledger), "--delay", str(delay_seconds)]
    with process(command):
        wait_until_answers(f"http://127.0.0.1:{UPSTREAM_PORT}{CHAT}", chat("warm"))
        yield ledger


@contextmanager
def plain(max_ongoing: int = 1000, max_queued: int = -1) -> Iterator[Service]:
    """Plain Ray Serve with two replicas; `max_queued`: -1 for any number."""
    with _folder() as folder:
        limits = ["--max-ongoing", str(max_ongoing), "--max-queued", str(max_queued)]
        with _running([sys.executable, _PARTS, "plain", *limits], PLAIN_PORT, {}, folder) as service:
            yield service


@contextmanager
def ours(folder: Path | None = None, **arguments: Any) -> Iterator[Service]:
    """`python -m serve` with two replicas; `folder`: where an earlier one was."""
    with _folder() if folder is None else nullcontext(folder) as place:
        config, home = place / "config.yaml", place / "home"
        models = [{"name": name, "base_url": f"http://127.0.0.1:{UPSTREAM_PORT}/v1", **_PRICES} for name in _MODELS]
        args = {
            "router": f"suite:{ROOT / 'evals' / 'quickstart.yaml'}#thompson",
            "home": str(home),
            "port": OUR_PORT,
            "replicas": 2,
            "max_in_flight": 1024,
            "models": models,
            **arguments,
        }
        application = {"name": "krins", "import_path": "serve.app:build", "args": args}
        config.write_text(yaml.safe_dump({"proxy_location": "Disabled", "applications": [application]}))
        add = [sys.executable, "-m", "serve.security.keys", "--home", str(home), "add", "--scope", "admin"]
        done = subprocess.run(add, cwd=ROOT, env=_environ(), capture_output=True, text=True, check=True)
        key = next(word for word in done.stdout.split() if word.startswith("krins_"))
        command = [sys.executable, "-m", "serve", "--config", str(config)]
        with _running(command, OUR_PORT, {"Authorization": f"Bearer {key}"}, place) as service:
            wait_until(lambda: len(service.listening()) == 2, 300.0)
            yield service


@contextmanager
def _running(command: list[str], port: int, headers: Mapping[str, str], folder: Path) -> Iterator[Service]:
    """Ray gives its own node 30 s to start, which on a busy machine is too little: it is tried three times."""
    for _ in range(3):
        with (folder / "log").open("a") as log:
            started = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**_environ(), _MARK: str(folder)},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        service = Service(port, started, headers, folder)
        try:
            if _answers(service):
                yield service
                return
        finally:
            _end(service)
    raise RuntimeError(f"it did not start: {(folder / 'log').read_text()[-2000:]}")


def _answers(service: Service) -> bool:
    """False if it ends before it answers, or does not within ten minutes."""
    for _ in range(60):
        with suppress(TimeoutError):
            wait_until_answers(service.url + CHAT, chat("warm"), service.headers, seconds=10.0)
            return True
        if service.command.poll() is not None:
            break
    return False


def _end(service: Service) -> None:
    """SIGKILL to the whole of it, as when the machine loses power."""
    family = service.family()
    for each in family:
        with suppress(psutil.Error):
            each.kill()
    service.command.wait(10)
    psutil.wait_procs(family, timeout=10)


_PRICES = {"usd_per_million_input_tokens": "0.04", "usd_per_million_output_tokens": "0.08"}


def wait_until(is_so: Callable[[], Any], seconds: float = 60.0) -> float:
    """Seconds waited.

    Raises:
        TimeoutError: it was not so in that time.
    """
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            raise TimeoutError("what was waited for did not come")
        time.sleep(0.02)
    return time.monotonic() - began


def _environ() -> dict[str, str]:
    """Children of ours compile their modules once, and call no provider that costs money. Workers of Ray are by default
    nicer (15) than the clients and the upstream, which here are on the same machine."""
    environ = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "KRINS_NO_PAID_CALLS": "1", "PYTHONPATH": str(ROOT)}
    environ["RAY_worker_niceness"] = "0"
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="krins-faults-") as folder:
        yield Path(folder)
