"""How many trivial samples a second does the harness take, beside inspect_ai's on its `mockllm`?

Both harnesses ask a model that answers at once in the same process, 1,000 samples of one short prompt each, score the
answer by looking for a word, and keep a durable log: inspect_ai as its `eval` does it (display off), krins through all
layers around a call (cache off), the coordinator, and the journal with its syncs. The two alternate; what is reported
is the ratio of pairs. inspect_ai is given the usage with each answer, since its mock model would fetch a tokenizer.

    python experiments/harness_throughput.py --inspect-python PYTHON [--rounds 5] [--samples 1000]

PYTHON is an interpreter with inspect_ai installed. Everything here is synthetic: no model is asked.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click

from krins.clock import SystemClock
from krins.domain import Change, Request, Task, Usage, Verdict
from krins.interfaces import Clock, OnText, Reply
from krins.models.ledger import Ledger
from krins.models.prices import StatedPrice
from krins.models.spec import ModelSpec
from krins.models.stack import ModelPool
from krins.models.waiting_ledger import SharedLedger
from krins.pipeline.coordinator import Coordinator
from krins.pipeline.process import Process
from krins.pipeline.tasks import CodingTask
from krins.runs.journal import JournalWriter
from krins.runs.live import Before, GroupCommit, OutcomeSource
from krins.runs.progress import SILENT
from krins.runs.records import Cell
from krins.suite import Budget, LiveModel

ANSWER = "```python\nDefault = 'output from mockllm/model'\n```"

INSPECT = """
import sys, time
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

def answer(*_):
    output = ModelOutput.from_content("mockllm", "Default output from mockllm/model")
    output.usage = ModelUsage(input_tokens=3, output_tokens=8, total_tokens=11)
    return output

def once(n):
    samples = [Sample(input=f"Say {i}", target="Default") for i in range(n)]
    model = get_model("mockllm/model", custom_outputs=answer)
    [log] = eval(Task(dataset=samples, solver=generate(), scorer=includes()), model=model, display="none",
                 log_dir=sys.argv[1], max_samples=n)
    assert log.status == "success", log.error

once(10)
for line in sys.stdin:
    started = time.perf_counter()
    once(int(line))
    print(time.perf_counter() - started, flush=True)
"""


class AtOnce:
    """A provider that answers at once, in this process."""

    def __init__(self, spec: ModelSpec, clock: Clock) -> None:
        del spec, clock

    async def reply(self, request: Request, on_text: OnText | None = None) -> Reply:
        return Reply(ANSWER, Usage(3, 8), "stop", "r")

    async def check(self) -> None: ...

    async def close(self) -> None: ...


class Includes:
    """Looks for a word in the answer."""

    def verify(self, change: Change, tests: str) -> Verdict:
        is_there = any(tests in text for text in change.after.values())
        return Verdict(float(is_there), int(is_there), 1)


async def krins_once(n_samples: int) -> None:
    settings = LiveModel(name="m", base_url="http://127.0.0.1:9/v1")
    spec = ModelSpec(
        settings, "openai-chat", "m", settings.base_url, None, None, 64, StatedPrice(Decimal(1), Decimal(2))
    )
    ledger: Ledger = SharedLedger(Budget(), {})
    pool = ModelPool({"m": spec}, ledger, None, SystemClock(), random.Random(0), n_samples, AtOnce)
    tasks = [CodingTask(Task(f"t{i}", f"Say {i}"), "Default", answer_file="a.py") for i in range(n_samples)]
    environment = Coordinator(
        tasks, {name: Process(model) for name, model in pool.models.items()}, lambda _: Includes()
    )

    async def can_go_on() -> bool:
        return True

    with tempfile.TemporaryDirectory() as folder, JournalWriter(Path(folder) / "journal.jsonl") as journal:
        source = OutcomeSource(environment, GroupCommit(journal), Before(), n_samples, SILENT, can_go_on)
        outcomes = await source.outcomes([Cell(task.task.task_id, "m", 0) for task in tasks])
    assert sum(outcome.quality for outcome in outcomes) == n_samples


def krins_seconds(n_samples: int) -> float:
    started = time.perf_counter()
    asyncio.run(krins_once(n_samples))
    return time.perf_counter() - started


def inspect_seconds(python: str, n_samples: int, rounds: int) -> Iterator[float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-c", INSPECT, folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None and process.stdout is not None
            for _ in range(rounds):
                process.stdin.write(f"{n_samples}\n")
                process.stdin.flush()
                yield float(process.stdout.readline())
            process.stdin.close()


@click.command()
@click.option("--inspect-python", required=True, help="An interpreter with inspect_ai.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--samples", type=click.IntRange(min=1), default=1000, show_default=True)
def main(inspect_python: str, rounds: int, samples: int) -> None:
    krins_seconds(10)
    ratios = []
    for theirs in inspect_seconds(inspect_python, samples, rounds):
        ours = krins_seconds(samples)
        ratios.append(theirs / ours)
        print(
            f"inspect_ai {samples / theirs:,.0f} a second, krins {samples / ours:,.0f} a second: {theirs / ours:.1f}x"
        )
    print(f"ratio: median {statistics.median(ratios):.1f}, {min(ratios):.1f} to {max(ratios):.1f} ({rounds} pairs)")
    sys.exit(0 if statistics.median(ratios) >= 5 else 1)


if __name__ == "__main__":
    main()
