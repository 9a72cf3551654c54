"""An outcome of the pipeline, as the caller of a task is told. Left out: how it came about."""

from __future__ import annotations

from krins.domain import Call, FailureKind, GateResult, Judgement, Outcome, Round
from krins.pipeline.patches import change_of
from krins.pipeline.tasks import CodingTask
from serve.jobs.models import Gate, JudgesWord, Order, ReviewRound, Spent, TaskResult, TaskVerdict


def result_of(outcome: Outcome, coding: CodingTask, order: Order) -> TaskResult:
    submitted = Round() if outcome.submitted is None else outcome.rounds[outcome.submitted]
    usage, context = outcome.usage, coding.context
    return TaskResult(
        decision_id=order.decision_id,
        model=order.arm,
        reason=order.reason,
        diff=submitted.diff,
        files=_files(submitted.diff, coding),
        verdict=_verdict(outcome, coding),
        gates=[_gate(result) for result in submitted.gates],
        judgement=None if submitted.judgement is None else _judgement(submitted.judgement),
        rounds=[_round(found) for found in outcome.rounds],
        failure=None if outcome.failure is None else outcome.failure.message,
        quality=_quality(outcome, coding),
        cost_usd=outcome.cost_usd,
        input_tokens=None if usage is None else usage.input_tokens,
        cached_tokens=None if usage is None else usage.cached_tokens,
        output_tokens=None if usage is None else usage.output_tokens,
        latency_seconds=outcome.latency_seconds,
        calls=[_spent(call) for call in outcome.calls],
        context_tokens=0 if context is None else context.tokens,
        context_tokens_saved=0 if context is None else max(0, context.whole_tokens - context.tokens),
    )


def _files(diff: str, coding: CodingTask) -> dict[str, str | None]:
    if not diff:
        return {}
    change = change_of(diff, coding.tree)
    return {**change.written, **dict.fromkeys(change.deleted)}


def _verdict(outcome: Outcome, coding: CodingTask) -> TaskVerdict:
    verdict = outcome.verdict
    if verdict is None:
        return TaskVerdict(by="nobody", passed=None, checks_passed=0, checks_total=0, evidence="")
    return TaskVerdict(
        by="hidden tests" if coding.tests else "gates and judge",
        passed=verdict.quality == 1.0,
        checks_passed=verdict.checks_passed,
        checks_total=verdict.checks_total,
        evidence=verdict.evidence,
    )


def _quality(outcome: Outcome, coding: CodingTask) -> float | None:
    """As in an evaluation: a model without a usable answer has failed; one whose budget was too small has not."""
    is_the_models = outcome.failure is None or outcome.failure.kind is FailureKind.MODEL
    return float(outcome.quality == 1.0) if coding.tests and is_the_models else None


def _gate(result: GateResult) -> Gate:
    return Gate(
        gate=result.gate,
        status=result.status.value,
        blocks=result.blocks,
        evidence=result.evidence,
        seconds=result.seconds,
    )


def _judgement(judgement: Judgement) -> JudgesWord:
    doubts = {one.checkpoint.value: one.quote for one in judgement.checkpoints if one.holds is False}
    return JudgesWord(
        model=judgement.model, score=judgement.score, is_probability=judgement.is_probability, doubts=doubts
    )


def _round(found: Round) -> ReviewRound:
    return ReviewRound(
        problem=found.problem,
        red_gates=[result.gate for result in found.gates if result.is_red],
        score=None if found.judgement is None else found.judgement.score,
        is_accepted=found.is_accepted,
    )


def _spent(call: Call) -> Spent:
    return Spent(
        agent=call.agent,
        model=call.model,
        latency_seconds=call.latency_seconds,
        cost_usd=call.cost_usd,
        input_tokens=None if call.usage is None else call.usage.input_tokens,
        output_tokens=None if call.usage is None else call.usage.output_tokens,
        error=call.error,
    )
