"""Who did what for each attempt of a run, at what price, and with what verdict: one line for each step.

Invariants: every call of a provider is a line, failed ones included, and so is every gate, judgement and run of hidden
tests; what calls of a run cost adds up to what its outcomes cost. Left out: the texts of prompts and answers, which
stand in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from krins.domain import Call, Outcome, Round


class AuditLine(BaseModel):
    """One step; None where there is nothing to be said."""

    model_config = ConfigDict(frozen=True)

    task_id: str
    arm: str
    sample: int
    decision: str
    """Correlation id."""
    agent: str
    """proposer, judge, tester, `gate: NAME`, or hidden tests."""
    model: str | None = None
    tokens: int | None = None
    cost_usd: Decimal | None = None
    verdict: str
    seconds: float | None = None


def audit_lines(outcomes: Iterable[Outcome]) -> Iterator[AuditLine]:
    """The steps of attempts, attempt by attempt: calls, then the rounds, then the hidden tests."""
    for outcome in outcomes:
        whose = {"task_id": outcome.task_id, "arm": outcome.arm, "sample": outcome.sample}
        for step in _steps(outcome):
            yield AuditLine.model_validate({**whose, "decision": outcome.correlation_id, **step})


def _steps(outcome: Outcome) -> Iterator[dict[str, object]]:
    yield from map(_of_call, outcome.calls)
    for number, found in enumerate(outcome.rounds):
        yield from _of_round(found, is_submitted=number == outcome.submitted)
    if outcome.failure is not None:
        yield {"agent": "hidden tests", "verdict": f"not run: {outcome.failure.message}"}
    elif outcome.verdict is not None:
        passed, total = outcome.verdict.checks_passed, outcome.verdict.checks_total
        yield {"agent": "hidden tests", "verdict": f"{passed} of {total} pass"}


def _of_call(call: Call) -> dict[str, object]:
    return {
        "agent": call.agent,
        "model": call.model,
        "tokens": call.usage.tokens if call.usage else None,
        "cost_usd": call.cost_usd,
        "verdict": call.error or ("answered, out of the cache" if call.is_cached else "answered"),
        "seconds": call.latency_seconds,
    }


def _of_round(found: Round, is_submitted: bool) -> Iterator[dict[str, object]]:
    for gate in found.gates:
        verdict = gate.status.value.replace("_", " ")
        yield {"agent": f"gate: {gate.gate}", "verdict": verdict, "seconds": gate.seconds}
    if found.judgement is not None:
        how = "P(yes)" if found.judgement.is_probability else "share of checkpoints"
        accepted = "accepted" if found.is_accepted else "not accepted"
        score = f"{accepted}, {how} {found.judgement.score:.3f}"
        if found.judgement.n_speaking:
            score += f"; {found.judgement.n_speaking} places in the change speak to a reader and were not shown"
        if found.judgement.n_lines_cut:
            score += f"; {found.judgement.n_lines_cut} lines of the change had no room, so it cannot be accepted"
        yield {"agent": "judge", "model": found.judgement.model, "verdict": score}
    if found.problem:
        yield {"agent": "proposer", "verdict": f"no change: {found.problem}"}
    elif is_submitted:
        yield {"agent": "proposer", "verdict": "this change is submitted"}
