"""Ten minutes at 80% of the service's own maximum, while everything around it fails: what do the official SDKs see?

    python experiments/serving_soak.py [--minutes 10] [--replicas 2]

Three fake providers fail a fifth of their calls; a replica is killed with SIGKILL every minute, always the youngest, so
that one lives through all of it and its memory can be watched; half-way another champion is registered. The maximum is
that of the same callers in a closed loop, and callers, providers, Ray and the service share this machine: it is not
what the service could do alone. API keys are on, and the router learns from the outcome of every answer.
Exit 1 unless no call failed (a stream that had begun may end in an error, never in silence), feedback on every answer
was acknowledged and is in the journal once, the router that is replayed from the journal is the live one to the last
bit, the new champion took over, and memory is flat: of processes that live throughout, at most a tenth more in the last
fifth of the time than in the first. The learner's own tables go on filling until they hold 100,000 decisions, so its
slope is shown by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent))

from serving_soak_report import Event, Sample, lines_of, report
from serving_soak_service import URL, Service

_SHARE = 0.8
_CLIENTS, _IN_FLIGHT, _MAXIMUM_SECONDS = 2, 24, 16.0
_FIRST_KILL_SECONDS, _SAMPLE_SECONDS = 30.0, 10.0


@click.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--replicas", default=2, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="To keep all that was logged.")
def main(minutes: float, replicas: int, folder: Path | None) -> None:
    """Run, and print what came of it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["KRINS_NO_PAID_CALLS"] = "1"
    with ExitStack() as running:
        folder = folder or Path(running.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        service = Service(folder, replicas)
        service.register(seed=1).wait()
        soak = Soak(folder, service)
        with service.running():
            maximum = soak.maximum()
            per_second = _SHARE * maximum
            click.echo(f"maximum {maximum:.0f} calls/s in a closed loop of {_CLIENTS * _IN_FLIGHT}")
            click.echo(f"{minutes:g} minutes at {per_second:.0f} calls/s ...")
            soak.under_load(per_second, minutes * 60)
            live_router = service.live_router()
        holds = report(folder, soak.events, soak.samples, live_router)
    sys.exit(0 if holds else 1)


class Soak:
    """What happens to the service."""

    def __init__(self, folder: Path, service: Service) -> None:
        self._folder, self._service = folder, service
        self._environ = {**os.environ, "KRINS_SOAK_KEY": service.add_key("infer", "feedback")}
        self.events: list[Event] = []
        self.samples: list[Sample] = []

    def maximum(self) -> float:
        """Answers in a second, in the middle of a closed loop."""
        for phase, seconds in (("warm", 5.0), ("maximum", _MAXIMUM_SECONDS)):
            for client in self._callers(phase, seconds, "--in-flight", str(_IN_FLIGHT)):
                client.wait()
        answered: list[float] = [
            line["at"] for line in lines_of(self._folder, "maximum") if line["event"] == "answered"
        ]
        begin = min(answered) + _MAXIMUM_SECONDS / 4
        half = _MAXIMUM_SECONDS / 2
        return sum(begin <= at < begin + half for at in answered) / half

    def under_load(self, per_second: float, seconds: float) -> None:
        """Load, and what befalls it; returns once all that was asked has come to an end."""
        clients = self._callers("load", seconds, "--per-second", str(per_second / _CLIENTS))
        began = self._happened("begin")
        kills = list(_range(_FIRST_KILL_SECONDS, seconds, 60.0))
        samples = list(_range(0.0, seconds, _SAMPLE_SECONDS))
        registers = [seconds / 2]
        tuning: subprocess.Popen[bytes] | None = None
        is_complete = True
        while any(client.poll() is None for client in clients):
            passed = time.time() - began
            if _is_due(samples, passed):
                self.samples += [Sample(passed, *each) for each in self._service.processes()]
            if _is_due(kills, passed):
                self._happened("kill")
                self._service.kill_the_youngest()
                is_complete = False
            if _is_due(registers, passed):
                self._happened("register")
                tuning = self._service.register(seed=2)
            if tuning is not None and tuning.poll() is not None:
                self._happened("registered")
                tuning = None
            was_complete, is_complete = is_complete, self._service.is_complete
            if is_complete and not was_complete:
                self._happened("all listen")
            time.sleep(0.2)
        self._happened("end")

    def _callers(self, phase: str, seconds: float, *pace: str) -> list[subprocess.Popen[bytes]]:
        """They begin at once, when all have what they need; imports take seconds."""
        script = str(Path(__file__).with_name("serving_soak_client.py"))
        command = [sys.executable, script, "--url", URL, "--seconds", str(seconds), *pace]
        logs = [self._folder / f"{phase}-{number}.jsonl" for number in range(_CLIENTS)]
        callers = [
            subprocess.Popen(
                [*command, "--name", log.stem, "--log", str(log)], env=self._environ, stdin=subprocess.PIPE
            )
            for log in logs
        ]
        while not all(log.exists() for log in logs):
            time.sleep(0.1)
        for caller in callers:
            assert caller.stdin is not None
            caller.stdin.close()
        return callers

    def _happened(self, what: str) -> float:
        event = Event(time.time(), what)
        self.events.append(event)
        return event.at_seconds


def _range(first: float, end: float, step: float) -> Iterator[float]:
    while first < end:
        yield first
        first += step


def _is_due(times: list[float], now: float) -> bool:
    """Whether the next one has come, which is then taken out."""
    return bool(times) and times[0] <= now and times.pop(0) <= now


if __name__ == "__main__":
    main()
