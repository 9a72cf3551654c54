"""An off-policy answer as text.

Invariants: estimates without a claim of coverage say so; the log's overlap stands below, in words. Left out: computing
them (`krins.studies.what_if`).
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from krins.reports.columns import Column, Rows, definitions, tables
from krins.reports.notation import QUALITY, UNKNOWN, USD, Notation, write_number
from krins.runs.result import Figure
from krins.statistics.off_policy import SMALLEST_EFFECTIVE_SAMPLE, Estimate
from krins.studies.what_if import Answer, WhatIf


def render_what_if(found: WhatIf, console: Console) -> None:
    console.print(
        Text.assemble(
            (f"what if {found.target} had served the traffic of {found.logged}?\n", "bold"),
            f"run {found.run_id}, replication {found.replication}: "
            f"{write_number(found.n_decisions, 'decision')} in {write_number(found.n_clusters, 'cluster')}, off-policy",
            overflow="fold",
        )
    )
    console.print()
    rows, columns = _table(found)
    for table in tables(rows, [columns], console):
        console.print(table, crop=False)
        console.print()
    console.print(definitions(_legend(found), console))
    for note in notes_of(found):
        console.print(Text(f"note: {note}", overflow="fold"))


def _table(found: WhatIf) -> tuple[Rows, list[Column]]:
    estimates = found.quality.estimates
    has_known = found.quality.known is not None
    names = [f"in the log: {found.logged}", *(_name(estimate) for estimate in estimates)]
    names += [f"known: {found.target}"] if has_known else []
    ends = frozenset({0, len(estimates)} if has_known else {0})
    columns = [_figures("quality", found.quality, QUALITY)]
    if found.cost_usd is not None:
        columns.append(_figures("USD\na task", found.cost_usd, USD))
    # What the model alone says has no weights.
    sizes = [f"{one.effective_sample_size:,.0f}" if one.n_used else UNKNOWN for one in estimates]
    cells = [[""], *([size] for size in sizes), *([[""]] if has_known else [])]
    return Rows("estimator", names, ends), [*columns, Column("effective\ndecisions", cells)]


def _name(estimate: Estimate) -> str:
    return estimate.name if estimate.claims_coverage else f"{estimate.name} (no claim)"


def _figures(heading: str, answer: Answer, notation: Notation) -> Column:
    cells = [[notation.write(Figure(mean=answer.logged)).mean]]
    for estimate in answer.estimates:
        written = notation.write(Figure(mean=estimate.value, low=estimate.low, high=estimate.high))
        cells.append([written.mean, written.interval or UNKNOWN])
    if answer.known is not None:
        cells.append([notation.write(Figure(mean=answer.known)).mean])
    return Column(heading, cells)


def _legend(found: WhatIf) -> Iterator[tuple[str, str]]:
    learning = ", learning from the outcomes that the log holds," if found.target_learns else ""
    yield "the question", f"{found.target}{learning} decides each of its tasks"
    yield "[low, high]", "95% interval over tasks, clustered by repository; it may reach beyond what a mean can be"
    yield "no claim", "the interval may miss the truth more often: biased by a model, or made from too few decisions"
    yield "effective", "decisions of equal weight that would tell as much (Kish)"
    if found.quality.known is not None:
        yield "known", "computed from every model's recorded outcomes; the estimates have seen none but the logged ones"


def notes_of(found: WhatIf) -> Iterator[str]:
    """What a reader must know to trust it, or not to."""
    seen = found.overlap
    error = "" if seen.mean_weight_error is None else f" ± {1.96 * seen.mean_weight_error:.2g}"
    yield (
        f"overlap: mean weight {seen.mean_weight:.3g}{error} (1 if the log supports all choices), largest "
        f"{seen.largest_weight:.3g}, {100 * seen.weight_in_top_percent:.0f}% of all weight on 1% of decisions."
    )
    if seen.unsupported_mass > 0:
        yield f"{100 * seen.unsupported_mass:.2g}% of the choices asked about had no chance in the log."
    if seen.effective_sample_size < SMALLEST_EFFECTIVE_SAMPLE:
        yield (
            f"the log tells as much as {seen.effective_sample_size:.0f} decisions would: too few to settle much. A "
            "higher exploration_floor makes logs that tell more."
        )
    if found.n_forced:
        yield f"{write_number(found.n_forced, 'decision')} at which {found.logged} had no alternative were left out."
    if found.logger_learnt:
        yield (
            f"{found.logged} was learning while it made the log: IPS and DR stay unbiased, but intervals are proved "
            "for routers that had settled."
        )
    if found.n_unanswered:
        yield (
            f"{write_number(found.n_unanswered, 'decision')} had no outcome to judge: they count as quality 0 at the "
            "model's mean cost, as in the run's table."
        )
