"""How much one judgement can take: what budgets reserve before anything is asked."""

from __future__ import annotations

MAX_CHARS = 24_000
"""Of a diff that is shown: about 7,000 tokens."""
MAX_EVIDENCE_CHARS = 2_000
"""Of one gate."""
N_CALLS = 2
"""Whether it is right, and the checkpoints."""
_MOST_GATES = 10
_FRAME_CHARS = 8_000
"""What krins writes around, and the marks before the lines of others."""


def most_prompt_bytes(task: str, texts_bytes: int) -> int:
    """Of what a judge is asked about a change to a task with that prompt. `texts_bytes`: of the tree and of what may be
    written anew, which together are the most that a diff can show."""
    diff_bytes = 2 * min(4 * MAX_CHARS, texts_bytes)
    return diff_bytes + 4 * (2 * len(task) + _MOST_GATES * MAX_EVIDENCE_CHARS + _FRAME_CHARS)
