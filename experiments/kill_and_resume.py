"""Kill a live run with SIGKILL at random moments and resume it: does it end with the table of an undisturbed run?

Four targets in turn: the driver (attempts in its own process), the driver of Ray workers, the whole process tree (Ray
and all), and one Ray worker. The model is the fake provider, which answers deterministically and logs its calls;
for every kill the script counts the answers that were paid for twice and sets them against the number that the resumed
run reports as possible.

    python experiments/kill_and_resume.py [--kills 20] [--seed 0]
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.fake_provider import start_fake_provider  # noqa: E402
from tests.support.suites import live_environment, write_suite  # noqa: E402

KRINS = str(Path(sys.executable).with_name("krins-eval"))
MODELS = ["p-60", "p-30"]
N_ANSWERS = 2 * 12 * len(MODELS)
TARGETS = ("driver", "ray driver", "tree", "worker")
_VARYING = ("run_id", "elapsed_seconds", "notes")


@dataclass(frozen=True)
class Trial:
    """One kill: what was hit, when, and what became of the run."""

    target: str
    answers_before: int
    """Answers on the bill when the kill came."""
    is_same_table: bool
    paid_twice: int
    possible: int
    """How many may have been paid twice, as the resumed run reports it."""

    @property
    def is_fine(self) -> bool:
        return self.is_same_table and self.paid_twice <= self.possible


class Bench:
    """A fake server, a suite that uses it, and the table of an undisturbed run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = start_fake_provider(folder, "--delay", "0.2")
        environment = live_environment(self.server.base_url, MODELS, max_concurrency=4)
        routers = ["thompson", *(f"fixed:{model}" for model in MODELS)]
        self.suite = write_suite(folder, environment, routers, replications=2)
        self.run("undisturbed", 0, ["run", str(self.suite)]).wait()
        self.truth = self.table("undisturbed")

    def run(self, home: str, workers: int, arguments: list[str]) -> subprocess.Popen[bytes]:
        options = ["--home", str(self.folder / home), "--no-tracking", "--workers", str(workers)]
        output = ["--json", str(self.folder / f"{home}.json")]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([KRINS, *arguments, *options, *output], start_new_session=True, **quiet)

    def table(self, home: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / f"{home}.json").read_text())
        return content

    def paid(self) -> list[str]:
        return self.server.calls

    def trial(self, target: str, moment: int, name: str) -> Trial:
        """Start a run, kill `target` once `moment` answers are on the bill, and let the run end."""
        self.server.calls_file.unlink()
        workers = 0 if target == "driver" else 2
        process = self.run(name, workers, ["run", str(self.suite)])
        while len(self.paid()) < moment:
            assert process.poll() is None, f"{name} ended before it could be killed"
            time.sleep(0.005)
        before = len(self.paid())
        _kill(process, target)
        process.wait()
        if target != "worker":  # which the driver survives
            self.run(name, 0, ["run", "--resume", "latest"]).wait()
        table = self.table(name)
        truth, got = ({k: v for k, v in t.items() if k not in _VARYING} for t in (self.truth, table))
        twice = sum(n - 1 for n in Counter(self.paid()).values())
        return Trial(target, before, truth == got, twice, _reported(table["notes"]))

    def close(self) -> None:
        self.server.stop()


def _kill(process: subprocess.Popen[bytes], target: str) -> None:
    family = psutil.Process(process.pid).children(recursive=True)
    if target == "worker":
        workers = [child for child in family if "LiveWorker" in " ".join(child.cmdline())]
        victims = [random.choice(workers).pid]
    else:
        victims = [process.pid, *([child.pid for child in family] if target == "tree" else [])]
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):  # some end when their parent does
            os.kill(pid, signal.SIGKILL)


def _reported(notes: list[str]) -> int:
    return sum(int(note.split()[0]) for note in notes if "paid for twice" in note)


@click.command()
@click.option("--kills", default=20, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(kills: int, seed: int) -> None:
    """Print one line a kill and a verdict; exit code 1 if any run ended with another table."""
    random.seed(seed)
    trials = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            for number in range(kills):
                target = TARGETS[number % len(TARGETS)]
                trial = bench.trial(target, random.randrange(1, N_ANSWERS), f"kill-{number}")
                trials.append(trial)
                click.echo(
                    f"{number + 1:3}  {trial.target:10}  after {trial.answers_before:2} of {N_ANSWERS} answers: "
                    f"{'same table' if trial.is_same_table else 'ANOTHER TABLE'}, {trial.paid_twice} paid twice "
                    f"({trial.possible} reported as possible)"
                )
        finally:
            bench.close()
    fine = sum(trial.is_fine for trial in trials)
    click.echo(
        f"{fine} of {kills} runs ended as if undisturbed; at most {max(t.paid_twice for t in trials)} paid twice"
    )
    sys.exit(0 if fine == kills else 1)


if __name__ == "__main__":
    main()
