"""A checkpoint counts by its quote."""

from __future__ import annotations

import pytest

from krins.domain import Checkpoint
from krins.pipeline.judging.checkpoints import Finding, Findings, counted, share_that_holds, uncounted

SHOWN = [
    "Write f(x) that doubles x.",
    "| @@ -1 +1 @@",
    "| -    return x",
    "| +    return 2 * x",
    "|  }",
    "| +(a line left out)",
]


def findings(**quotes: tuple[str, bool]) -> Findings:
    given = {checkpoint.value: quotes.get(checkpoint.value, ("", True)) for checkpoint in Checkpoint}
    return Findings(**{name: Finding(quote=quote, holds=holds) for name, (quote, holds) in given.items()})


@pytest.mark.parametrize(
    ("quote", "counts"),
    [
        ("| +    return 2 * x", True),
        ("return 2*x", True),
        ("+return 2 * x", True),
        ("-    return x\n+    return 2 * x", True),
        ("doubles", False),
        ("f(x) that doubles", True),
        ("return", False),
        ("}", False),
        ("return 3 * x", False),
        ("return 2 * x\nreturn 3 * x", False),
        ("(a line left out)", False),
        ("", False),
    ],
)
def test_a_quote_is_a_line_or_a_clear_part_of_one(quote: str, counts: bool) -> None:
    verdicts = counted(findings(security=(quote, False)), SHOWN)
    assert [verdict.checkpoint for verdict in verdicts] == list(Checkpoint)
    assert {verdict.checkpoint: verdict.holds for verdict in verdicts}[Checkpoint.SECURITY] is (
        False if counts else None
    )


def test_the_share_is_of_those_that_count() -> None:
    verdicts = counted(
        findings(fulfils=("return 2 * x", True), tests=("return 2 * x", False), security=("?", True)), SHOWN
    )
    assert share_that_holds(verdicts) == 0.5
    assert share_that_holds(verdicts[:1]) == 1.0
    assert share_that_holds(uncounted()) == 0.0


def test_the_findings_are_the_checkpoints() -> None:
    assert list(Findings.model_fields) == [checkpoint.value for checkpoint in Checkpoint]
