"""Models and gates that say what a test has them say, and attempts made of them.

Prices differ by who asks, so that a sum of costs tells whose calls are in it: proposer 1 USD, judge 0.1, tester 0.01.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache

from krins.domain import (
    Arm,
    Attempt,
    Call,
    Change,
    Checkpoint,
    GateResult,
    GateStatus,
    Outcome,
    Request,
    Round,
    Scope,
    Usage,
    Verdict,
)
from krins.errors import BudgetExhausted, ModelFault
from krins.interfaces import Gate, OnText, Sandbox
from krins.pipeline.coordinator import Coordinator
from krins.pipeline.judging.judge import Judge
from krins.pipeline.process import Process
from krins.pipeline.reviewing import Reviewer
from krins.pipeline.tasks import CodingTask
from krins.pipeline.verifiers import VerifierOf
from krins.quality.sandbox import choose_sandbox

USAGE = Usage(100, 20)
Fault = ModelFault | BudgetExhausted


def call(model: str, cost_usd: str, error: str | None = None) -> Call:
    cost = Decimal(cost_usd)
    return Call(model, "openai-chat", 0.0, 2.0, USAGE, cost, cost, USAGE.tokens, error=error)


class Scripted:
    """A model that gives its answers in turn; a fault is raised, after a call that was charged."""

    def __init__(
        self, *answers: str | Fault, name: str = "m", cost_usd: str = "1", finish_reason: str = "stop"
    ) -> None:
        self.answers, self.name, self.cost_usd, self.finish_reason = list(answers), name, cost_usd, finish_reason
        self.requests: list[Request] = []

    async def answer(self, request: Request, scope: Scope = Scope(), on_text: OnText | None = None) -> Attempt:
        self.requests.append(request)
        return self.attempt(self.answers.pop(0))

    def attempt(self, given: str | Fault) -> Attempt:
        if isinstance(given, Fault):
            given.calls = (call(self.name, self.cost_usd, type(given).__name__),)
            raise given
        calls = (call(self.name, self.cost_usd),)
        return Attempt(given, USAGE, 2.0, self.name, "openai-chat", self.finish_reason, calls=calls)


class ScriptedJudge(Scripted):
    """Says yes with the probabilities given, in turn; then objects, with a quote, to the edge cases, or to nothing."""

    def __init__(self, *scores: float | Fault, quote: str = "Write f.", objects: bool = True) -> None:
        super().__init__(name="judge", cost_usd="0.1")
        self.scores, self.quote, self.objects = list(scores), quote, objects

    async def answer(self, request: Request, scope: Scope = Scope(), on_text: OnText | None = None) -> Attempt:
        self.requests.append(request)
        if not request.choices:
            return self.attempt(self._findings())
        score = self.scores.pop(0)
        if not isinstance(score, float):
            return self.attempt(score)
        return replace(self.attempt("yes"), choice_probabilities={"yes": score, "no": 1 - score}, choice_mass=1.0)

    def _findings(self) -> str:
        doubted = {Checkpoint.EDGE_CASES} if self.objects else set()
        return json.dumps({point.value: {"quote": self.quote, "holds": point not in doubted} for point in Checkpoint})


class WordGate:
    """Fails a change that writes a word, and cannot be run on one that writes another."""

    def __init__(self, word: str, name: str = "tests", blocks: bool = True, not_run_word: str = "unknowable") -> None:
        self.word, self.name, self.blocks, self.not_run_word = word, name, blocks, not_run_word

    def check(self, change: Change) -> GateResult:
        text = "\n".join(change.written.values())
        if self.not_run_word in text:
            return GateResult(self.name, GateStatus.NOT_RUN, self.blocks, "no tool", 0.0)
        if self.word in text:
            return GateResult(self.name, GateStatus.FAILED, self.blocks, f"solution.py:1: {self.word}", 0.0)
        return GateResult(self.name, GateStatus.PASSED, self.blocks, "", 0.0)


class WordVerifier:
    """Passes a change that writes a word; keeps what it was given."""

    def __init__(self, word: str = "good") -> None:
        self.word = word
        self.seen: list[Change] = []

    def verify(self, change: Change, tests: str) -> Verdict:
        self.seen.append(change)
        quality = float(any(self.word in text for text in change.written.values()))
        return Verdict(quality, int(quality), 1)


def code(text: str) -> str:
    return f"```python\n{text}\n```\n"


def files(contents: Mapping[str, str]) -> str:
    """An answer that writes files, each with its path in front."""
    return "\n".join(f"{path}\n```\n{text.rstrip()}\n```\n" for path, text in contents.items())


def reviewed(
    proposer: Scripted,
    judge: ScriptedJudge,
    gates: Sequence[Gate] | Callable[[CodingTask], Sequence[Gate]] = (),
    rounds: int = 2,
) -> Process:
    gates_of = gates if callable(gates) else lambda _: gates
    return Process(proposer, Reviewer(gates_of, Judge(judge, "judge"), 0.5), rounds=rounds)


def attempted(coding: CodingTask, process: Process, verifier_of: VerifierOf, sample: int = 0) -> Outcome:
    coordinator = Coordinator([coding], {"m": process}, verifier_of)
    return asyncio.run(coordinator.attempt(coding.task, Arm("m"), sample, "c0"))


def timeless(outcome: Outcome) -> Outcome:
    """Without what a clock says."""

    def still(found: Round) -> Round:
        return replace(found, gates=tuple(replace(result, seconds=0.0) for result in found.gates))

    return replace(outcome, rounds=tuple(still(found) for found in outcome.rounds))


@cache
def sandbox() -> Sandbox:
    """The strongest that works here."""
    return choose_sandbox(allow_unsafe=False)
