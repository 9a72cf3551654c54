"""What does it cost to run something in a sandbox, beside the same as a bare process?

Each round runs, in random order and one at a time, `true` and `python -c pass` (the interpreter that candidates get) as
a bare process and in every sandbox that works here; from before the start until the output is read, the exit code known
and the sandbox closed. The same for a whole check of a task's reference by its hidden tests, which takes two sandboxes;
its bare side is `Unsafe`, which starts each of the two processes by way of one more Python. A ratio is of two of one
round. Wall clock of a machine that may do other things meanwhile: its load is shown, and ratios tell more than times.

    python experiments/sandbox_start.py [--rounds 100] [--checks 30] [--task backend-easy-success-status] [--seed 1]

Exit 1 if the median of a command in a sandbox is 150 ms or more. Run it as root and as an ordinary user: the sandboxes
are made in other ways.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeAlias

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from krins.interfaces import FloatArray, Limits, Sandbox
from krins.pipeline.task_check import REFERENCE, kept_changes
from krins.pipeline.tasks import load_folder
from krins.pipeline.verifiers import hidden_tests
from krins.quality.bubblewrap import Bubblewrap
from krins.quality.interpreter import interpreter
from krins.quality.sandbox import why_not
from krins.quality.unsafe import Unsafe
from krins.quality.unshare import Unshare

TASKS = Path(__file__).parents[1] / "evals" / "tasks"
TARGET_MS = 150.0
PATIENCE_SECONDS = 60.0
COMMANDS = {"true": ["true"], "python -c pass": [*interpreter().command, "-c", "pass"]}
BARE = "bare"
Side: TypeAlias = tuple[str, str]
"""What is run, and where."""
Work: TypeAlias = Callable[[], None]


def run_bare(command: Sequence[str]) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)


def run_inside(sandbox: Sandbox, command: Sequence[str]) -> None:
    with closing(sandbox.start(command, {}, Limits(wall_seconds=PATIENCE_SECONDS))) as process:
        process.stdout.read()
        code = process.wait(PATIENCE_SECONDS)
        assert code == 0, process.stderr_tail()


def check_of(task: str) -> Callable[[Sandbox], None]:
    """Judges the reference of a task in a sandbox."""
    coding = next(coding for coding in load_folder(TASKS) if coding.task.task_id == task)
    change = next(change for name, change in kept_changes(TASKS / task, coding) if name == REFERENCE)

    def check(sandbox: Sandbox) -> None:
        verdict = hidden_tests(sandbox)(coding).verify(change, coding.tests)
        assert verdict.quality == 1.0, verdict.evidence

    return check


def measure(work: Mapping[Side, Work], rounds: int, rng: random.Random) -> dict[Side, FloatArray]:
    """Milliseconds by round; one more round, the first, warms up."""
    taken: dict[Side, list[float]] = {side: [] for side in work}
    for _ in range(rounds + 1):
        for side in rng.sample(list(work), len(work)):
            started = time.perf_counter()
            work[side]()
            taken[side].append((time.perf_counter() - started) * 1000)
    return {side: np.array(milliseconds[1:]) for side, milliseconds in taken.items()}


def report(taken: Mapping[Side, FloatArray]) -> None:
    for (what, where), milliseconds in taken.items():
        low, middle, high = np.percentile(milliseconds, [5, 50, 95])
        ratio = "" if where == BARE else f"{np.median(milliseconds / taken[what, BARE]):.1f}"
        click.echo(f"{what:<18}{where:<14}{middle:>9.1f}{f'{low:.1f}-{high:.1f}':>16}{ratio:>9}{len(milliseconds):>8}")


def working_sandboxes() -> list[Sandbox]:
    known: list[Sandbox] = [Bubblewrap(), Unshare()]
    reasons = {sandbox.name: why_not(sandbox) for sandbox in known}
    for name, reason in reasons.items():
        if reason:
            click.echo(f"{name} does not work here: {reason}")
    if all(reasons.values()):
        raise click.ClickException("no sandbox works here")
    return [sandbox for sandbox in known if not reasons[sandbox.name]]


def describe_load() -> str:
    return " ".join(f"{load:.1f}" for load in os.getloadavg())


@click.command()
@click.option("--rounds", default=100, show_default=True, type=click.IntRange(min=2))
@click.option("--checks", default=30, show_default=True, type=click.IntRange(min=2))
@click.option("--task", default="backend-easy-success-status", show_default=True)
@click.option("--seed", default=1, show_default=True, type=int)
def main(rounds: int, checks: int, task: str, seed: int) -> None:
    rng, before = random.Random(seed), describe_load()
    sandboxes = working_sandboxes()
    click.echo(f"{'':<32}{'median ms':>9}{'5-95% ms':>16}{'/ bare':>9}{'runs':>8}")
    commands: dict[Side, Work] = {}
    for what, command in COMMANDS.items():
        commands[what, BARE] = partial(run_bare, command)
        commands |= {(what, sandbox.name): partial(run_inside, sandbox, command) for sandbox in sandboxes}
    starts = measure(commands, rounds, rng)
    report(starts)
    check = check_of(task)
    places = {BARE: Unsafe(), **{sandbox.name: sandbox for sandbox in sandboxes}}
    report(
        measure({("hidden tests", place): partial(check, sandbox) for place, sandbox in places.items()}, checks, rng)
    )
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    click.echo(f"as {who}, {os.cpu_count()} processors, load before {before}, after {describe_load()}")
    slowest = max(float(np.median(taken)) for (_, where), taken in starts.items() if where != BARE)
    click.echo(f"slowest median of a command in a sandbox: {slowest:.0f} ms; wanted: below {TARGET_MS:.0f} ms")
    sys.exit(0 if slowest < TARGET_MS else 1)


if __name__ == "__main__":
    main()
