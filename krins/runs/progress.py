"""The seam through which a run tells how far it is. Rendering is the reports' part; `SILENT` says nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol


class Progress(Protocol):
    def begin(self, what: str, total: int) -> None:
        """Work of `total` steps begins, for instance 630,600 decisions."""
        ...

    def advance(self, steps: int) -> None: ...

    def spend(self, billed_usd: Decimal) -> None:
        """Total paid so far in this run."""
        ...

    def say(self, what: str) -> None:
        """A sentence that the user should read now: a forecast, a warning."""
        ...


class _Silent:
    def begin(self, what: str, total: int) -> None:
        del what, total

    def advance(self, steps: int) -> None:
        del steps

    def spend(self, billed_usd: Decimal) -> None:
        del billed_usd

    def say(self, what: str) -> None:
        del what


SILENT: Progress = _Silent()
