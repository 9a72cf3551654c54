"""The structured verdict: seven checkpoints, each with the line that it rests on.

Invariant: a checkpoint counts only if what the judge quotes stands in what it was shown: a whole line, or a part of one
that has `MIN_QUOTE_CHARS` characters, white space and the marks of a diff aside. A line that only says that something
was left out is no evidence. Left out: whether the line has anything to do with the checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from krins.domain import Checkpoint, CheckpointVerdict

MIN_QUOTE_CHARS = 8
_MIN_LINE_CHARS = 3
_MARK = re.compile(r"^[\s|]*[+-]?")
_LEFT_OUT = re.compile(r"\W*\((?:(?:aline|comment|text\d+)leftout|\d+morelines)\)\W*")
"""Without white space, as lines are compared."""


class Finding(BaseModel):
    """A judge's word on one checkpoint, as it writes it."""

    model_config = ConfigDict(extra="forbid")

    quote: str = Field(description="One line of the above, copied letter by letter, on which the answer rests.")
    """Before `holds`: a model that writes in this order looks first."""
    holds: bool


class Findings(BaseModel):
    """All seven."""

    model_config = ConfigDict(extra="forbid")

    fulfils: Finding = Field(description="The change does what the task asks for.")
    edge_cases: Finding = Field(description="It is right in all cases, the rare ones too.")
    tests: Finding = Field(description="What changed is covered by tests, or needs none.")
    security: Finding = Field(description="It opens no hole: no injection, no secret, no unsafe call.")
    compatibility: Finding = Field(description="Callers and files that are not in the change still work.")
    readability: Finding = Field(description="It can be read, and changes nothing that need not change.")
    performance: Finding = Field(description="It is not needlessly slow.")


def counted(findings: Findings, shown: Iterable[str]) -> tuple[CheckpointVerdict, ...]:
    """One verdict a checkpoint, in the order of `Checkpoint`.

    Args:
        shown: the lines of others that the judge was shown; not those that krins wrote around them.
    """
    lines = {_bare(line) for line in shown if not _LEFT_OUT.fullmatch(_bare(line))}
    verdicts = []
    for checkpoint in Checkpoint:
        finding: Finding = getattr(findings, checkpoint.value)
        is_there = _stands_in(finding.quote, lines)
        verdicts.append(CheckpointVerdict(checkpoint, finding.holds if is_there else None, finding.quote))
    return tuple(verdicts)


def uncounted() -> tuple[CheckpointVerdict, ...]:
    """What a judge without a structured verdict says."""
    return tuple(CheckpointVerdict(checkpoint, None) for checkpoint in Checkpoint)


def share_that_holds(verdicts: Sequence[CheckpointVerdict]) -> float:
    """Among those that count; 0 where none does, for without evidence nothing is accepted."""
    words = [verdict.holds for verdict in verdicts if verdict.holds is not None]
    return sum(words) / len(words) if words else 0.0


def _stands_in(quote: str, lines: set[str]) -> bool:
    """Whether every line of a quote does."""
    quoted = [bare for line in quote.splitlines() if (bare := _bare(line))]
    return bool(quoted) and all(_is_shown(line, lines) for line in quoted)


def _is_shown(quoted: str, lines: set[str]) -> bool:
    if len(quoted) >= MIN_QUOTE_CHARS:
        return any(quoted in line for line in lines)
    return len(quoted) >= _MIN_LINE_CHARS and quoted in lines


def _bare(line: str) -> str:
    return "".join(_MARK.sub("", line).split())


__all__ = ["MIN_QUOTE_CHARS", "Finding", "Findings", "counted", "share_that_holds", "uncounted"]
