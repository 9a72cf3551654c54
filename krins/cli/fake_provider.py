"""Command `fake-provider`: a fake of Anthropic, OpenAI and Gemini on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from krins.fake_provider.answers import Answers
    from krins.fake_provider.server import FakeProvider

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OUTPUT = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command("fake-provider")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Where to listen; 0: anywhere."
)
@click.option("--tasks", type=_FOLDER, help="Solve the tasks of this folder: model p-70 solves 70% of them.")
@click.option("--script", type=_FILE, help="YAML list of {match: regular expression on the prompt, answer, model}.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND=SHARE",
    help="Fail a share of calls, KIND=0.2, or some by number, KIND=#1,3; @PROVIDER or @PROVIDER/MODEL after it limits "
    "it. Repeatable. A model called NAME!KIND fails each time.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Draws which calls fail.")
@click.option("--delay", "delay_seconds", type=click.FloatRange(min=0), default=0.0, help="Seconds before each answer.")
@click.option("--bill", "bill_file", type=_OUTPUT, help="Append what each call costs to this file, a JSON line each.")
@click.option("--calls", "calls_file", type=_OUTPUT, help="Append each call to this file before it is answered.")
def fake_provider(
    port: int,
    tasks: Path | None,
    script: Path | None,
    faults: tuple[str, ...],
    seed: int,
    delay_seconds: float,
    bill_file: Path | None,
    calls_file: Path | None,
) -> None:
    """Serve a fake of Anthropic, OpenAI and Gemini on this machine, until Ctrl-C.

    For tests and demonstrations: it speaks their wire formats, costs nothing, and every answer is made up.
    """
    import asyncio

    from krins.fake_provider.faults import FaultPlan, Rule
    from krins.fake_provider.server import FakeProvider

    plan = FaultPlan(tuple(Rule.parse(fault) for fault in faults), seed)
    server = FakeProvider(
        _answers(script, tasks),
        plan,
        port=port,
        delay_seconds=delay_seconds,
        bill_file=bill_file,
        calls_file=calls_file,
    )
    asyncio.run(_serve(server))


def _answers(script: Path | None, tasks: Path | None) -> Answers:
    from krins.fake_provider.answers import Echo, FirstOf, load_script, load_solutions

    scripted: list[Answers] = [load_script(script)] if script else []
    solved: list[Answers] = [load_solutions(tasks)] if tasks else []
    return FirstOf([*scripted, *solved, Echo()])


async def _serve(server: FakeProvider) -> None:
    import asyncio
    import signal

    is_over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, is_over.set)
    async with server:
        click.echo(_greeting(server.url))
        await is_over.wait()
    click.echo("ended", err=True)


def _greeting(url: str) -> str:
    return f"""\
Fake of Anthropic, OpenAI and Gemini: every answer is made up, nothing is paid for.

Anthropic  {url}
OpenAI     {url}/v1
Gemini     {url}
its bill   {url}/krins/bill

export ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=fake
export OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY=fake
export GOOGLE_GEMINI_BASE_URL={url} GEMINI_API_KEY=fake

Ctrl-C ends it."""
