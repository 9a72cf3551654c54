"""An off-policy answer as text: what is claimed, and what is said beside it."""

from __future__ import annotations

import io

from rich.console import Console

from krins.reports.what_if import render_what_if
from krins.statistics.off_policy import Estimate
from krins.statistics.overlap import Overlap
from krins.studies.what_if import Answer, WhatIf

ESTIMATES = (
    Estimate("DM", 0.5, 0.4, 0.6, 0.05, 100.0, 0, False),
    Estimate("IPS", 1.02, 0.9, 1.14, 0.06, 30.4, 50, False),
    Estimate("SNDR", 0.7, None, None, None, 30.4, 50, True),
)
FOUND = WhatIf(
    run_id="a-run",
    logged="thompson",
    target="fixed:small",
    replication=3,
    n_decisions=100,
    n_forced=2,
    n_unanswered=1,
    n_clusters=7,
    logger_learnt=True,
    target_learns=False,
    overlap=Overlap(100, 30.4, 9.5, 0.2, 1.05, 0.05, 0.004, 0.1),
    quality=Answer(0.61, ESTIMATES, 0.72),
    cost_usd=None,
)


def text_of(found: WhatIf) -> str:
    output = io.StringIO()
    render_what_if(found, Console(file=output, width=140))
    return output.getvalue()


def test_estimates_stand_with_their_intervals_and_claims() -> None:
    text = text_of(FOUND)
    assert "what if fixed:small had served the traffic of thompson?" in text
    assert "IPS (no claim)" in text
    assert "[0.900, 1.140]" in text
    assert "known: fixed:small" in text
    assert "USD" not in text
    dm = next(line for line in text.splitlines() if line.startswith("DM"))
    assert dm.split()[-1] == "-"


def test_what_a_reader_must_know_is_said() -> None:
    text = text_of(FOUND)
    for said in (
        "mean weight 1.05 ± 0.098",
        "0.4% of the choices asked about had no chance",
        "as much as 30 decisions would",
        "2 decisions at which thompson had no alternative",
        "thompson was learning",
        "1 decision had no outcome",
    ):
        assert said in text
    assert "learning from the outcomes" not in text
    settled = FOUND._replace(logger_learnt=False, target_learns=True, n_forced=0, n_unanswered=0)
    assert "was learning" not in text_of(settled)
    assert "fixed:small, learning from the outcomes that the log holds, decides" in " ".join(text_of(settled).split())
