"""A tuning study as text: what `krins-eval tune` prints.

Invariants: figures of unseen tasks and of tuning tasks stand in different tables, and each says which it is; the last
lines say what may be claimed, and no more. Left out: computing anything (`krins.studies.tune`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from krins.reports.columns import Column, Rows, definitions, tables
from krins.reports.notation import PERCENT, QUALITY, QUALITY_DIFFERENCE, UNKNOWN, USD, Notation, write_number
from krins.runs.result import Figure, Share
from krins.studies.tune_result import Fixed, HullFigures, TuneResult, UnseenRow, Versus

_SHOWN_TRIALS = 10


def render_tuning(found: TuneResult, console: Console) -> None:
    """Print heading, both tables, legend, notes and the verdict; nothing is cut off."""
    console.print(_heading(found))
    _print_tables(*_unseen_table(found), console)
    console.print(definitions(_legend(found), console))
    console.print(Text("\nthe search, on tuning tasks alone: figures flatter the best", style="bold", overflow="fold"))
    _print_tables(*_trials_table(found), console)
    for note in found.notes:
        console.print(Text(f"note: {note}", overflow="fold"))
    console.print(Text(f"\n{verdict(found)}", style="bold", overflow="fold"))


def verdict(found: TuneResult) -> str:
    """What to do, and how sure that is, from unseen tasks alone; of a fixed winner, that it won."""
    row = found.unseen[0]
    ahead = row.reward_difference
    fixed = found.chosen_fixed.model
    if row.params.get("policy") == "fixed":
        model = str(row.params["model"])
        is_best = row.chosen.model == model
        beside = (
            "It has the best quality on the tuning tasks, too."
            if is_best
            else _quality_claim(row.chosen, found.margins)
        )
        return f"Use {model} for every task: it won the search, and no router did better. {beside}"
    gain = f"{_signed(ahead.mean)}{_range(ahead)} reward a task against always {fixed}, "
    gain += "the best fixed choice on the tuning tasks"
    if ahead.low is None or ahead.high is None:
        reward = f"{found.winner} won the search; how sure its {gain} is cannot be told"
    elif ahead.low > 0:
        reward = f"Use {found.winner}: {gain}"
    elif ahead.high < 0:
        reward = f"Use {fixed} and no router: {found.winner}, which won the search, has {gain}"
    else:
        reward = f"{found.winner} won the search, but is not told apart from the best fixed choice: {gain}"
    return f"{reward}. {_quality_claim(row.chosen, found.margins)}"


def _quality_claim(versus: Versus, margins: Sequence[float]) -> str:
    shown = [margin for margin, is_shown in zip(margins, versus.is_non_inferior, strict=True) if is_shown]
    cheaper = versus.saving is not None and versus.saving.low is not None and versus.saving.low > 0
    saved = f"; cheaper by {_percent(versus.saving)}" if versus.saving is not None else ""
    beside = f"Against {versus.model}, the best by quality on the tuning tasks: "
    beside += f"{_points(versus.quality_difference)} points{saved}"
    if shown and cheaper:
        return f"{beside}: a saving at a margin of {100 * shown[0]:g} points."
    if versus.smallest_margin is None:
        return f"{beside}: whether that is a saving cannot be told."
    why = f"quality is shown to be lower by at most {100 * versus.smallest_margin:.1f} points, and no less"
    return f"{beside}: no saving is shown at margins of {_listed(margins)} points; {why}."


def _listed(margins: Sequence[float]) -> str:
    return ", ".join(f"{100 * margin:g}" for margin in margins)


def _heading(found: TuneResult) -> Text:
    split = found.split
    text = Text(f"{found.suite} tuned: {found.winner}", style="bold", overflow="fold")
    text.append(
        f"\nstudy {found.study_id}, seed {found.seed}: {write_number(len(found.trials), 'candidate')} on "
        f"{write_number(split.tuning.n_tasks, 'task')} of {write_number(split.tuning.n_repositories, 'repository')}; "
        f"reported on {write_number(split.unseen.n_tasks, 'unseen task')} of "
        f"{write_number(split.unseen.n_repositories, 'repository')}, "
        f"{write_number(found.n_replications, 'replication')}"
        f"\n{split.n_groups} groups kept whole; tied beyond repositories: "
        f"{write_number(split.n_near_twins, 'pair')} of near-identical prompts, "
        f"{write_number(split.n_same_instance, 'pair')} of one instance in two benchmarks",
        style="not bold",
    )
    return text


def _print_tables(rows: Rows, groups: Sequence[Sequence[Column]], console: Console) -> None:
    console.print()
    for table in tables(rows, groups, console):
        console.print(table, crop=False)
        console.print()


def _unseen_table(found: TuneResult) -> tuple[Rows, list[list[Column]]]:
    rows = found.unseen
    fixed = [
        (f"always {found.chosen_fixed.model}\n(most reward, tuning)", found.chosen_fixed),
        (f"always {found.chosen_single.model}\n(best quality, tuning)", found.chosen_single),
        (f"always {found.hindsight_single.model}\n(best quality, hindsight)", found.hindsight_single),
    ]
    names = [f"{row.router}{_role(row)}" for row in rows] + [name for name, _ in fixed]

    def reached(heading: str, key: str, notation: Notation) -> Column:
        both: list[UnseenRow | Fixed] = [*rows, *(one for _, one in fixed)]
        return Column(heading, [_figure(getattr(one, key), notation) for one in both], frozenset({0}))

    def compared(heading: str, cells: list[list[str]]) -> Column:
        return Column(heading, [*cells, *([[]] * len(fixed))])

    groups = [
        [
            reached("quality", "quality", QUALITY),
            reached("USD\na task", "cost_usd", USD),
            reached("reward", "reward", QUALITY),
        ],
        [compared("reward minus\nbest fixed's", [_figure(row.reward_difference, QUALITY_DIFFERENCE) for row in rows])],
        _versus_columns("chosen", [row.chosen for row in rows], compared),
        _versus_columns("hindsight", [row.hindsight for row in rows], compared),
        [
            compared("above hull,\nchosen", [_hull(row.chosen_hull) for row in rows]),
            compared("above hull,\nhindsight", [_hull(row.hindsight_hull) for row in rows]),
        ],
    ]
    return Rows("on unseen tasks", names, frozenset({0, len(rows) - 1})), groups


def _versus_columns(
    which: str, all_versus: list[Versus], compared: Callable[[str, list[list[str]]], Column]
) -> list[Column]:
    return [
        compared(
            f"quality minus\n{which}", [_figure(one.quality_difference, QUALITY_DIFFERENCE) for one in all_versus]
        ),
        compared(f"cheaper than\n{which}", [_figure(one.saving, PERCENT) for one in all_versus]),
        compared(f"non-inferior\n{which}", [_margins(one) for one in all_versus]),
    ]


def _role(row: UnseenRow) -> str:
    return "\n(winner)" if "winner" in row.roles else ""


def _margins(versus: Versus) -> list[str]:
    marks = ["?" if one is None else "yes" if one else "no" for one in versus.is_non_inferior]
    least = UNKNOWN if versus.smallest_margin is None else f"at {100 * versus.smallest_margin:.1f}"
    return [" ".join(marks), least]


def _hull(hull: HullFigures | None) -> list[str]:
    return [UNKNOWN] if hull is None or hull.gain is None else _figure(hull.gain, QUALITY_DIFFERENCE)


def _figure(share: Share | None, notation: Notation) -> list[str]:
    if share is None:
        return [UNKNOWN]
    written = notation.write(Figure(mean=share.mean, low=share.low, high=share.high))
    return [written.mean, written.interval or UNKNOWN]


def _trials_table(found: TuneResult) -> tuple[Rows, list[list[Column]]]:
    shown = found.trials[:_SHOWN_TRIALS]
    columns = [
        Column("reward", [[f"{trial.reward:.4f}", f"± {1.96 * trial.reward_error:.4f}"] for trial in shown]),
        Column("quality", [[f"{trial.quality:.3f}"] for trial in shown]),
        Column("USD\na task", [_figure(_bare(trial.cost_usd), USD)[:1] for trial in shown]),
        Column("replications", [[str(trial.n_replications)] for trial in shown]),
    ]
    return Rows(f"candidate, best {len(shown)} of {len(found.trials)}", [trial.router for trial in shown]), [columns]


def _bare(value: float | None) -> Share | None:
    return None if value is None else Share(mean=value, low=None, high=None)


def _legend(found: TuneResult) -> Iterator[tuple[str, str]]:
    yield (
        "unseen",
        "no candidate was chosen by them; all models' answers to the tuning tasks taught each router before",
    )
    yield "[low, high]", "95% interval over unseen tasks, clustered by repository"
    yield "chosen", f"{found.chosen_single.model}: the model with the highest quality on the tuning tasks"
    yield "hindsight", f"{found.hindsight_single.model}: the one with the highest on the unseen tasks, known to nobody"
    yield "best fixed", f"{found.chosen_fixed.model}: the model with the highest reward on the tuning tasks"
    yield (
        "non-inferior",
        f"at margins of {_listed(found.margins)} points of quality, one-sided at 97.5%, for each router by itself; "
        "below, the smallest margin shown",
    )
    yield (
        "above hull",
        "quality above mixing, at the same cost, the models on the hull of the tuning tasks, or of these",
    )
    yield "±", "95% interval over replications"


def _range(share: Share) -> str:
    return "" if share.low is None or share.high is None else f" [{_signed(share.low)}, {_signed(share.high)}]"


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _points(share: Share) -> str:
    ends = "" if share.low is None or share.high is None else f" [{100 * share.low:+.1f}, {100 * share.high:+.1f}]"
    return f"{100 * share.mean:+.1f}{ends}"


def _percent(share: Share) -> str:
    return " ".join(part for part in _figure(share, PERCENT) if part != UNKNOWN)
