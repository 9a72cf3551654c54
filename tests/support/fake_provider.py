"""The fake provider server for tests: as a process, and inside of a test's own event loop.

A process is what a run with workers and kills needs; inside of the loop a test holds the server's clock and its bill.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from krins.clock import SystemClock
from krins.fake_provider.answers import Answer, Answers, Echo, Line, Script
from krins.fake_provider.faults import FaultPlan, Rule
from krins.fake_provider.server import FakeProvider
from krins.fake_provider.wire import Tokens

if TYPE_CHECKING:
    from krins.interfaces import Clock

ROOT = Path(__file__).parents[2]
TASKS = ROOT / "evals" / "tasks"
_COMMAND = [sys.executable, "-c", "from krins.cli.fake_provider import fake_provider; fake_provider()"]


@dataclass(frozen=True)
class FakeServer:
    """A running fake provider process."""

    url: str
    """Base URL for Anthropic's and Google's SDKs."""
    calls_file: Path
    bill_file: Path
    process: subprocess.Popen[str]

    @property
    def base_url(self) -> str:
        """Base URL for OpenAI's SDK."""
        return f"{self.url}/v1"

    @property
    def calls(self) -> list[str]:
        """A line for each call, written before it is answered."""
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []

    @property
    def bill(self) -> list[dict[str, Any]]:
        lines = self.bill_file.read_text().splitlines() if self.bill_file.exists() else []
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        output = self.process.stdout
        assert output is not None
        output.close()


def start_fake_provider(folder: Path, *options: str) -> FakeServer:
    """Start `krins-eval fake-provider` with `options`; its bill and its log of calls go to `folder`.

    Without `--tasks` or `--script` among the options it solves the project's own tasks.
    """
    calls, bill = folder / "calls.jsonl", folder / "bill.jsonl"
    what = () if {"--tasks", "--script"} & set(options) else ("--tasks", str(TASKS))
    command = [*_COMMAND, *what, *options, "--calls", str(calls), "--bill", str(bill)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return FakeServer(_announced_url(process.stdout), calls, bill, process)


def _announced_url(output: IO[str]) -> str:
    for line in output:
        if line.startswith("Anthropic "):
            return line.split()[1]
    raise AssertionError("the fake provider did not start")


_ECHO, _CLOCK = Echo(), SystemClock()


@asynccontextmanager
async def running(*rules: str, answers: Answers = _ECHO, clock: Clock = _CLOCK) -> AsyncIterator[FakeProvider]:
    """A fake provider in this event loop, with faults as the command line takes them."""
    async with FakeProvider(answers, FaultPlan(tuple(Rule.parse(rule) for rule in rules)), clock=clock) as server:
        yield server


def saying(text: str, tokens: Tokens | None = None) -> Answers:
    """Models that say `text` to every prompt, at a cost of `tokens`."""
    return Script([Line(re.compile(""), Answer(text, tokens), None)])
