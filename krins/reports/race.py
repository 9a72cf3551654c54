"""A race as text: one sentence that says what may be said, then the field, then what it took.

Left out: racing (`krins.studies.race`).
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from krins.reports.columns import Column, Rows, definitions, tables
from krins.reports.notation import (
    QUALITY,
    QUALITY_DIFFERENCE,
    UNKNOWN,
    write_number,
    write_percent,
    write_usd,
)
from krins.runs.result import Figure
from krins.studies.race_result import Raced, RaceResult


def render_race(found: RaceResult, console: Console) -> None:
    """Print it."""
    console.print(Text(f"{found.suite}: {verdict(found)}", style="bold", overflow="fold"))
    console.print(Text(effort(found), overflow="fold"))
    console.print()
    for table in tables(*_table(found), console):
        console.print(table, crop=False)
        console.print()
    console.print(definitions(_legend(found), console))
    for note in found.notes:
        console.print(Text(f"note: {note}", overflow="fold"))


def verdict(found: RaceResult) -> str:
    """What may be said."""
    options = found.options
    if not found.is_settled:
        still_open = ", ".join(one.name for one in found.racers[1:] if not one.is_settled)
        return f"not settled: {found.winner} is ahead, and {still_open} may still be better"
    if options.tolerance:
        return f"the {options.objective} of {found.winner} is at most {options.tolerance:g} below the highest"
    level = [one.name for one in found.racers if one.is_level]
    alike = f", as have, by the same sum over all tasks, {', '.join(level)}" if level else ""
    return f"{found.winner} has the highest {options.objective}{alike}"


def effort(found: RaceResult) -> str:
    """What it took, and what the full grid takes."""
    whole = "full grid" if found.among == "models" else "full run"
    answers = f"{found.n_answers:,} of {write_number(found.n_grid, found.unit.removesuffix('s'))} of the {whole}"
    parts = [_certainty(found), answers + _cost(found)]
    if found.n_unanswered:
        parts.append(f"{write_number(found.n_unanswered, 'attempt')} without an answer counted as failures")
    return "; ".join(part for part in parts if part)


def _certainty(found: RaceResult) -> str:
    if not found.is_settled:
        return ""
    if found.n_answers == found.n_grid:
        return "all has been looked at"
    return f"probability of error at most {found.options.error_probability:g}"


def _cost(found: RaceResult) -> str:
    if found.paid_usd is None or found.grid_usd is None:
        return ""
    about = "" if found.is_grid_usd_known else "about "
    share = f", {write_percent(found.paid_usd / found.grid_usd)}" if found.grid_usd else ""
    return f": {write_usd(found.paid_usd)} of {about}{write_usd(found.grid_usd)}{share}"


def _table(found: RaceResult) -> tuple[Rows, list[list[Column]]]:
    racers = found.racers
    is_routers = found.among == "routers"
    asked = [f"{one.n_asked:,}" for one in racers]
    columns = [
        Column("replications" if is_routers else "answers", [[text] for text in asked]),
        Column(found.options.objective, [[QUALITY.write(Figure(mean=one.mean)).mean] for one in racers]),
        Column("behind by\nat least", [_behind(one, one.name == found.winner) for one in racers]),
    ]
    if found.paid_usd is not None:
        columns.append(
            Column("USD", [[UNKNOWN if one.paid_usd is None else write_usd(one.paid_usd)] for one in racers])
        )
    if found.grid_usd is not None:
        grid = [[UNKNOWN if one.grid_usd is None else write_usd(one.grid_usd)] for one in racers]
        columns.append(Column("USD of\nthe grid", grid))
    columns.append(Column("", [_state(one, found) for one in racers]))
    return Rows("router" if is_routers else "model", [one.name for one in racers], frozenset({0})), [columns]


def _behind(one: Raced, is_winner: bool) -> list[str]:
    if is_winner or one.is_level:
        return ["" if is_winner else "level"]
    mean = QUALITY_DIFFERENCE.write(Figure(mean=one.lead)).mean.removeprefix("+")
    return [mean, UNKNOWN if one.least_lead is None else f"> {round(one.least_lead, 3) + 0.0:.3f}"]


def _state(one: Raced, found: RaceResult) -> list[str]:
    if one.name == found.winner:
        return ["winner" if found.is_settled else "ahead"]
    return ["" if one.is_settled else "open"]


def _legend(found: RaceResult) -> Iterator[tuple[str, str]]:
    if found.among == "models":
        yield found.options.objective, "mean over the answers that were looked at; models with fewer met other tasks"
        yield "behind by", "the winner's lead on the tasks that both were asked"
        yield "> limit", "on the full grid it is more, by the evidence that settles the race"
    else:
        yield found.options.objective, "mean over the replications that were looked at"
        yield "behind by", "the winner's lead on the replications that both were seen in"
        yield "> limit", "in the full run it is more, by the evidence that settles the race"
    if not found.is_settled:
        yield "open", "may still be the best"
