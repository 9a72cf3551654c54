"""What a proposer is asked: the task, then what was found in its own earlier answers.

Context comes first, and every later question begins with all of the earlier one: providers cache prompts by their
prefix. Invariants: the same arguments give the same request; nothing of hidden tests stands in one. Left out: asking.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from krins.domain import CheckpointVerdict, GateResult, GeneratedTests, Message, Request, Round
from krins.pipeline.tasks import CodingTask

ONE_FILE = "Answer with one Python code block that holds the complete solution and nothing else."
CHANGED_FILES = """For each file that you change or add, answer with its path on a line of its own, followed by a code
block that holds the whole new file. Change no tests, and nothing that need not change."""
AGAIN = "Answer again, with all of the change and in the same form."
MAX_FINDING_CHARS = 1_500
"""Of one gate or problem, as it is told to the proposer."""
MOST_FINDINGS_BYTES = 4 * 10 * MAX_FINDING_CHARS
"""Of what one round is told: seven gates, and tests of the request."""


class Turn(NamedTuple):
    """An earlier answer, and what was found in it."""

    answer: str
    findings: str


def request_for(
    coding: CodingTask, sample: int, turns: Sequence[Turn] = (), tests: GeneratedTests | None = None
) -> Request:
    """What a model is asked for the `sample`-th answer, after `turns`. `tests`: those that it shall make pass."""
    context = f"{coding.context_text.rstrip()}\n\n=== Task\n\n" if coding.context_text else ""
    form = ONE_FILE if coding.answer_file else CHANGED_FILES
    prompt = f"{context}{coding.task.prompt.rstrip()}\n\n{_shown(tests)}{form}\n"
    messages = [Message("user", prompt)]
    for turn in turns:
        messages += [Message("assistant", turn.answer), Message("user", f"{turn.findings}\n\n{AGAIN}\n")]
    return replace(Request.of(prompt, sample), messages=tuple(messages))


def _shown(tests: GeneratedTests | None) -> str:
    if tests is None or not tests.text:
        return ""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", tests.text))])
    language = "python" if tests.path.endswith(".py") else "javascript"
    return f"These tests must pass:\n\n{tests.path}\n{fence}{language}\n{tests.text.rstrip()}\n{fence}\n\n"


def findings_of(found: Round) -> str:
    """What a round found wrong, as the proposer is told."""
    if found.problem:
        return f"Your answer cannot be used: {_short(found.problem)}"
    parts = [_of_gate(gate) for gate in found.gates if gate.is_red]
    if found.judgement is not None and not parts:
        doubts = [verdict for verdict in found.judgement.checkpoints if verdict.holds is False]
        parts = [_of_checkpoint(verdict) for verdict in doubts] or ["A reviewer doubts that the change is right."]
    return "This was found wrong with your change:\n\n" + "\n".join(parts)


def _of_gate(gate: GateResult) -> str:
    return f"- {gate.gate}: {_short(gate.evidence)}"


def _of_checkpoint(verdict: CheckpointVerdict) -> str:
    return f"- {verdict.checkpoint.value.replace('_', ' ')}: a reviewer objects to: {_short(verdict.quote)}"


def _short(text: str) -> str:
    return text if len(text) <= MAX_FINDING_CHARS else f"{text[:MAX_FINDING_CHARS]} ..."


__all__ = [
    "AGAIN",
    "CHANGED_FILES",
    "MAX_FINDING_CHARS",
    "MOST_FINDINGS_BYTES",
    "ONE_FILE",
    "Turn",
    "findings_of",
    "request_for",
]
