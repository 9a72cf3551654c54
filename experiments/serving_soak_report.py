"""What came of a soak: counts, examples, and whether what was promised was kept.

Everything is read from the callers' logs (`serving_soak_client`), the learner's journal and what `serving_soak` saw.
Left out: making any of it.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from serve.learning.checker import Seen, check
from serve.learning.ids import DecisionIds, key_at
from serve.learning.records import Began
from serve.learning.segments import Journal

_PHASES = ("warm", "maximum", "load")
_SETTLED_SECONDS = 60.0
"""After which memory is looked at."""
_MOST_GROWTH = 1.1
_T_975 = 2.0
_LATEST_SECONDS = 2.0
"""After which no replica decides by the old champion."""


class Event(NamedTuple):
    at_seconds: float
    """Since 1970."""
    what: str


class Sample(NamedTuple):
    """One process at one moment."""

    at_seconds: float
    """Since the load began."""
    kind: str
    process: int
    pss_mb: float
    cpu_seconds: float


class Growth(NamedTuple):
    """Memory of processes that lived from the beginning to the end."""

    begin_mb: float
    end_mb: float
    mb_per_minute: float
    half_width: float
    """Of the slope's 95% interval."""

    def __str__(self) -> str:
        slope = f"{self.mb_per_minute:+.2f} ± {self.half_width:.2f} MB a minute"
        return f"{self.begin_mb:.0f} MB -> {self.end_mb:.0f} MB ({self.ratio:.3f}), {slope}"

    @property
    def ratio(self) -> float:
        return self.end_mb / self.begin_mb


def lines_of(folder: Path, phase: str) -> list[dict[str, Any]]:
    """What the callers of a phase logged."""
    return [json.loads(line) for path in sorted(folder.glob(f"{phase}-*.jsonl")) for line in path.open()]


def report(folder: Path, events: Sequence[Event], samples: Sequence[Sample], live_router: str) -> bool:
    """Print it; whether all promises were kept. The service has stopped."""
    lines = lines_of(folder, "load")
    asked = [line for line in lines if line["event"] != "feedback"]
    by_event = Counter(line["event"] for line in asked)
    _calls(asked, by_event)
    _events(events)
    promises = {
        "no call failed": not by_event["failed"],
        "no stream ended in silence": not by_event["silent"],
        "every call has an end": by_event["ask"] == sum(n for event, n in by_event.items() if event != "ask"),
        **_learning(folder, lines, by_event["answered"], live_router),
        "the new champion took over": _take_over(folder, events, asked),
        "memory is flat": _memory(samples),
    }
    _processor(samples, by_event["answered"])
    for promise, is_kept in promises.items():
        click.echo(f"{'kept  ' if is_kept else 'BROKEN'}  {promise}")
    return all(promises.values())


def _calls(asked: Sequence[Mapping[str, Any]], by_event: Counter[str]) -> None:
    seconds = max(line["at"] for line in asked) - min(line["at"] for line in asked)
    ends = ", ".join(f"{n} {event}" for event, n in by_event.items() if event != "ask")
    click.echo(f"{by_event['ask']} calls in {seconds:.0f} s: {ends}")
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in asked:
        table[line["kind"]][line["event"]] += 1
    for kind, counts in sorted(table.items()):
        click.echo(f"  {kind:<20}" + "".join(f"{counts[event]:>7} {event}" for event in by_event))
    answered = [line for line in asked if line["event"] == "answered"]
    times = sorted(line["seconds"] for line in answered)
    at = ", ".join(f"{share:.0%} within {times[int(share * (len(times) - 1))]:.2f} s" for share in (0.5, 0.99, 1.0))
    retries = Counter(line["retries"] for line in answered if line["retries"])
    reasons = Counter(line["reason"].partition(":")[0] for line in answered)
    click.echo(f"  answered: {at}; by reason {dict(reasons)}; retried by the SDK {dict(sorted(retries.items()))}")
    examples: dict[str, list[str]] = defaultdict(list)
    for line in asked:
        if line["event"] in ("broke", "failed", "silent"):
            examples[f"{line['event']}, {line['kind']}: {line.get('class', '')}"].append(line["words"])
    for what, words in sorted(examples.items()):
        click.echo(f"  {len(words):>5} {what}, such as: {words[0][:160]}")


def _events(events: Sequence[Event]) -> None:
    began = events[0].at_seconds
    killed, recoveries = 0.0, []
    for event in events:
        killed = event.at_seconds if event.what == "kill" else killed
        if event.what == "all listen" and killed:
            recoveries.append(event.at_seconds - killed)
    n_kills = sum(event.what == "kill" for event in events)
    click.echo("  ".join(f"{event.at_seconds - began:.0f}s {event.what}" for event in events))
    after = f", after {min(recoveries):.1f} to {max(recoveries):.1f} s" if recoveries else ""
    click.echo(f"replicas: {n_kills} killed, {len(recoveries)} times all listened again{after}")


def _learning(folder: Path, lines: Sequence[Mapping[str, Any]], n_answered: int, live_router: str) -> dict[str, bool]:
    serving = folder / "home" / "serving"
    history = [
        Seen(
            line["client"], line["attempt"], line["decision_id"], line["what"], line["quality"], line.get("status", "")
        )
        for phase in _PHASES
        for line in lines_of(folder, phase)
        if line["event"] == "feedback"
    ]
    verdict = check(history, serving / "learning", key_at(serving / "decision.key"), live_router)
    told = [line for line in lines if line["event"] == "feedback" and line["what"] != "invoke"]
    acknowledged = {line["decision_id"] for line in told if line["what"] == "ok"}
    receipts = Counter(line["status"] for line in told if line["what"] == "ok")
    again = Counter(line["refused"] for line in told if line["what"] != "ok")
    click.echo(
        f"feedback: {len(acknowledged)} of {n_answered} acknowledged, {dict(receipts)}; sent again {dict(again)}"
    )
    click.echo(f"  journal: {verdict.in_journal} outcomes of all phases, {verdict.applied} learnt")
    for problem in verdict.problems[:5]:
        click.echo(f"  PROBLEM {problem}")
    is_equal = not any("replayed" in problem for problem in verdict.problems)
    return {
        "feedback on every answer was acknowledged": len(acknowledged) == n_answered,
        "what was acknowledged is in the journal, once": not [p for p in verdict.problems if "replayed" not in p],
        "the replayed router is the live one, bit for bit": is_equal and verdict.applied > 0,
    }


def _take_over(folder: Path, events: Sequence[Event], asked: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the learner, and then every replica, went on with the new one."""
    serving = folder / "home" / "serving"
    epochs = [record for record in Journal(serving / "learning") if isinstance(record, Began)]
    registered = next((event.at_seconds for event in events if event.what == "registered"), None)
    if registered is None or len(epochs) < 2:
        click.echo(f"take-over: none; the learner knows {[began.loaded.identity for began in epochs]}")
        return False
    ids = DecisionIds(key_at(serving / "decision.key"))
    tickets = [ids.read(line["decision_id"]).ticket for line in asked if line["event"] == "answered"]
    new = epochs[-1]
    before = [ticket.at_seconds for ticket in tickets if ticket.epoch < new.epoch]
    since = [ticket.at_seconds for ticket in tickets if ticket.epoch == new.epoch]
    first, last = min(since, default=float("inf")) - new.at_seconds, max(before) - new.at_seconds
    n_late = sum(at > new.at_seconds for at in before)
    click.echo(
        f"take-over: {new.loaded.identity} by the learner {new.at_seconds - registered:+.1f} s after the search ended; "
        f"first decision {first:+.2f} s from then, last of the old one {last:+.2f} s ({n_late} late); "
        f"{len(before)} decisions of the old one and {len(since)} of the new"
    )
    return bool(since) and last < _LATEST_SECONDS


def _memory(samples: Sequence[Sample]) -> bool:
    """Of processes that are there in the first and in the last sample, once the load has settled."""
    settled = [sample for sample in samples if sample.at_seconds >= _SETTLED_SECONDS]
    moments = sorted({round(sample.at_seconds) for sample in settled})
    if len(moments) < 4:
        click.echo("memory: too short to tell")
        return False
    at: dict[int, dict[tuple[str, int], float]] = defaultdict(dict)
    for sample in settled:
        at[round(sample.at_seconds)][sample.kind, sample.process] = sample.pss_mb
    lasting = set.intersection(*(set(each) for each in at.values()))
    growths: dict[str, Growth] = {}
    for kind in dict.fromkeys(kind for kind, _ in sorted(lasting)):
        members = [key for key in lasting if key[0] == kind]
        growths[kind] = _growth(moments, [sum(at[moment][key] for key in members) for moment in moments])
    growths["all of these"] = _growth(moments, [sum(at[moment][key] for key in lasting) for moment in moments])
    growths["everything"] = _growth(moments, [sum(at[moment].values()) for moment in moments])
    click.echo("memory (PSS), processes that lived throughout, first and last fifth:")
    for kind, growth in growths.items():
        click.echo(f"  {kind:<13} {growth}")
    return growths["all of these"].ratio <= _MOST_GROWTH


def _growth(moments: Sequence[float], mb: Sequence[float]) -> Growth:
    minutes, values = np.array(moments) / 60, np.array(mb)
    slope, intercept = np.polyfit(minutes, values, 1)
    spread = np.sum((values - slope * minutes - intercept) ** 2) / (len(values) - 2)
    error = float(np.sqrt(spread / np.sum((minutes - minutes.mean()) ** 2)))
    fifth = max(1, len(values) // 5)
    begin, end = statistics.median(values[:fifth]), statistics.median(values[-fifth:])
    return Growth(float(begin), float(end), float(slope), _T_975 * error)


def _processor(samples: Sequence[Sample], n_answered: int) -> None:
    """What each process spent between the first sample and its last; of one that was killed the last seconds lack."""
    first = min(sample.at_seconds for sample in samples)
    spent: dict[tuple[str, int], float] = {}
    initial = {(sample.kind, sample.process): sample.cpu_seconds for sample in samples if sample.at_seconds - first < 1}
    for sample in samples:
        key = sample.kind, sample.process
        spent[key] = sample.cpu_seconds - initial.get(key, 0.0)
    by_kind: Counter[str] = Counter()
    for (kind, _), seconds in spent.items():
        by_kind[kind] += seconds  # type: ignore[assignment]
    each = ", ".join(f"{kind} {seconds / n_answered * 1e3:.2f}" for kind, seconds in by_kind.most_common())
    total = sum(by_kind.values()) / n_answered * 1e3
    click.echo(f"processor time for each answer, restarts included, in ms: {total:.2f} ({each})")
