"""How far a run is: a line that keeps changing on a terminal, a new line now and then elsewhere.

Invariants: `advance` counts and does no more than look at the clock; without a terminal a line comes every ten seconds
at most, and one when a piece of work ends. A rate leaves out what the first report brought, so that what a resumed run
had done before is not taken for speed. Left out: what the steps are.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from krins.interfaces import Clock
from krins.reports.notation import write_seconds, write_usd

_SECONDS_BETWEEN_LINES = 10.0
_LEAST_BAR, _WIDEST_BAR = 10, 40


@dataclass
class _Work:
    """One piece of work, since it began."""

    what: str
    total: int
    began_seconds: float
    done: int = 0
    first: tuple[float, int] | None = None
    """When the first steps were reported, and how many."""

    def rate(self, now_seconds: float) -> float | None:
        """Steps a second since the first report; None until there is a second one."""
        if self.first is None or now_seconds <= self.first[0] or self.done == self.first[1]:
            return None
        return (self.done - self.first[1]) / (now_seconds - self.first[0])

    def describe(self, now_seconds: float, billed_usd: Decimal) -> str:
        rate = self.rate(now_seconds)
        percent = 100 * self.done // self.total if self.total else 100
        parts = [f"{self.what}: {self.done:,} of {self.total:,} ({percent}%)"]
        if rate is not None:
            parts.append(f"{rate:,.{0 if rate >= 10 else 1}f}/s")
        if billed_usd:
            parts.append(write_usd(float(billed_usd)))
        parts.append(write_seconds(now_seconds - self.began_seconds))
        if rate is not None and self.done < self.total:
            parts.append(f"{write_seconds((self.total - self.done) / rate)} left")
        return ", ".join(parts)


class RunProgress:
    """A `krins.runs.progress.Progress` that writes to a console. A context manager: leaving it ends the display."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console, self._clock = console, clock
        self._work: _Work | None = None
        self._billed_usd = Decimal(0)
        self._next_line_seconds = 0.0
        self._live: Live | None = None

    def __enter__(self) -> RunProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is None:
            self._print()
        else:
            self._live.stop()
            self._live = None

    def begin(self, what: str, total: int) -> None:
        self._print()
        now = self._clock.monotonic_seconds()
        if self._console.is_terminal and self._live is None:
            self._live = Live(console=self._console, get_renderable=self._line, refresh_per_second=5)
            self._live.start()
        self._work, self._next_line_seconds = _Work(what, total, now), now + _SECONDS_BETWEEN_LINES

    def advance(self, steps: int) -> None:
        work = self._work
        if work is None:
            return
        work.done += steps
        if self._live is not None and work.first is not None:
            return
        now = self._clock.monotonic_seconds()
        if work.first is None:
            work.first = now, work.done
        if self._live is None and now >= self._next_line_seconds:
            self._print()
            self._next_line_seconds = now + _SECONDS_BETWEEN_LINES

    def spend(self, billed_usd: Decimal) -> None:
        self._billed_usd = billed_usd

    def say(self, what: str) -> None:
        self._console.print(Text(what), soft_wrap=True)

    def _describe(self) -> str:
        return "" if self._work is None else self._work.describe(self._clock.monotonic_seconds(), self._billed_usd)

    def _print(self) -> None:
        if self._work is not None:
            self._console.print(Text(self._describe()), soft_wrap=True)

    def _line(self) -> RenderableType:
        """The bar, if there is room for one, and the words."""
        text, work = self._describe(), self._work
        room = self._console.width - cell_len(text) - 2
        if work is None or room < _LEAST_BAR:
            return Text(text)
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(work.total, 1), completed=work.done, width=min(room, _WIDEST_BAR))
        grid.add_row(bar, Text(text))
        return grid
