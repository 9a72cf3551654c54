"""The bill: what the provider charges, which is the truth that a caller's own books are compared with.

Invariants: every request for an answer has one row, from the moment at which it is taken; a row that is billed counts
all that was generated, whether or not it arrived; `usage_reported` says whether these very numbers were sent. A row
goes to the file once, before the last byte of its answer is sent, so that whoever has the answer finds it there. Left
out: prices, for they are the caller's to know.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from krins.fake_provider.wire import ProviderName, Tokens


@dataclass(slots=True)
class Row:
    provider: ProviderName
    model: str
    """As it was asked for."""
    request_id: str
    """As it stands in the header; Gemini has none and takes the answer's id."""
    answer_id: str
    """As it stands in the body."""
    fault: str | None
    status: int = 0
    """Of HTTP; 0 where there was no answer at all."""
    streamed: bool = False
    input_tokens: int = 0
    """All of the prompt."""
    cached_tokens: int = 0
    """Of `input_tokens`: read from the cache."""
    cache_write_tokens: int = 0
    """Of `input_tokens`: written to the cache."""
    output_tokens: int = 0
    """All that was generated."""
    reasoning_tokens: int = 0
    """Of `output_tokens`."""
    billed: bool = False
    usage_reported: bool = False
    """The numbers above were sent."""

    def charge(self, tokens: Tokens) -> None:
        self.input_tokens, self.output_tokens = tokens.input, tokens.output
        self.cached_tokens, self.cache_write_tokens = tokens.cached, tokens.cache_write
        self.reasoning_tokens, self.billed = tokens.reasoning, True


@dataclass
class Bill:
    file: Path | None = None
    rows: list[Row] = field(default_factory=list)
    _open: set[int] = field(default_factory=set)

    def open(self, row: Row) -> None:
        self.rows.append(row)
        self._open.add(id(row))

    def settle(self, row: Row) -> None:
        """Write it to the file, unless that has been done."""
        if id(row) in self._open:
            self._open.remove(id(row))
            append(self.file, asdict(row))

    def reset(self) -> None:
        """Forget all rows; the file stays as it is."""
        self.rows.clear()
        self._open.clear()

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(row) for row in self.rows]


def append(file: Path | None, record: Any) -> None:
    """One line of JSON; the file is opened anew each time, so it may be removed in between."""
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(record) + "\n")
