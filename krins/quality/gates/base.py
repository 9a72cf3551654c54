"""What all gates share: how long a look takes, and that whatever goes wrong meanwhile is in the result.

Invariants: `check` never raises; a gate that could not look is NOT_RUN, and its evidence says why and what to do.
Evidence is one line of text for each thing found, with paths that cannot break a line. Left out: what gates look for.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from krins.domain import Change, GateResult, GateStatus
from krins.errors import KrinsError

Now = Callable[[], float]
"""Seconds of a clock that never goes back."""

_EVIDENCE_CHARACTERS = 6000
_PATH_CHARACTERS = 200


class Opinion(NamedTuple):
    """What a look showed."""

    status: GateStatus
    evidence: str


class CheckedGate(ABC):
    """Implements `krins.interfaces.Gate` around `_look`."""

    name: str
    blocks = True

    def __init__(self, now: Now = time.monotonic) -> None:
        self._now = now

    def check(self, change: Change) -> GateResult:
        started = self._now()
        try:
            status, evidence = self._look(change)
        except KrinsError as fault:
            status, evidence = GateStatus.NOT_RUN, str(fault)
        except Exception as failure:  # a change may hold anything; what it does to a tool must not end the pipeline
            status, evidence = GateStatus.NOT_RUN, f"the gate broke: {type(failure).__name__}: {failure}"
        return GateResult(self.name, status, self.blocks, _cut(evidence), self._now() - started)

    @abstractmethod
    def _look(self, change: Change) -> Opinion:
        """Judge a change.

        Raises:
            KrinsError: nothing could be seen.
        """


def shown(path: str) -> str:
    """A path as evidence names it: what is not printable, such as a line break, is escaped."""
    readable = path if path.isprintable() else ascii(path)
    return readable if len(readable) <= _PATH_CHARACTERS else readable[:_PATH_CHARACTERS] + "..."


def one_line(text: str) -> str:
    """Text from elsewhere as evidence quotes it: it cannot pose as a line of evidence."""
    return " ".join(text.split())


def _cut(evidence: str) -> str:
    return evidence if len(evidence) <= _EVIDENCE_CHARACTERS else evidence[:_EVIDENCE_CHARACTERS] + "\n..."
