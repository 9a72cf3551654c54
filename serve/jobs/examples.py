"""Examples of answers for the OpenAPI document; tests hold them against their models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATUS: Mapping[str, Any] = {
    "task_id": "task_5f0c2a9be13d47a6c8e0b1d2",
    "state": "queued",
    "attempt": 0,
    "is_stopping": False,
    "created_at_seconds": 1_790_000_000.0,
    "started_at_seconds": None,
    "ended_at_seconds": None,
    "errors": [],
    "result": None,
    "url": "/api/tasks/task_5f0c2a9be13d47a6c8e0b1d2",
    "events_url": "/api/tasks/task_5f0c2a9be13d47a6c8e0b1d2/events",
}

RESULT: Mapping[str, Any] = {
    "decision_id": "d1.example",
    "model": "qwen2.5-coder-1.5b",
    "reason": "router",
    "diff": "--- a/greeting.py\n+++ b/greeting.py\n@@ -1,2 +1,2 @@\n-def greet():\n-    return 'Hello!'\n"
    "+def greet(name):\n+    return f'Hello, {name}!'\n",
    "files": {"greeting.py": "def greet(name):\n    return f'Hello, {name}!'\n"},
    "verdict": {"by": "gates and judge", "passed": True, "checks_passed": 2, "checks_total": 2, "evidence": ""},
    "gates": [{"gate": "syntax", "status": "passed", "blocks": True, "evidence": "1 file parses", "seconds": 0.01}],
    "judgement": {"model": "qwen2.5-coder-0.5b", "score": 0.9, "is_probability": True, "doubts": {}},
    "rounds": [{"problem": "", "red_gates": [], "score": 0.9, "is_accepted": True}],
    "failure": None,
    "cost_usd": "0.000052",
    "input_tokens": 210,
    "cached_tokens": 0,
    "output_tokens": 62,
    "latency_seconds": 1.4,
    "calls": [
        {
            "agent": "proposer",
            "model": "qwen2.5-coder-1.5b",
            "latency_seconds": 1.1,
            "cost_usd": "0.000052",
            "input_tokens": 210,
            "output_tokens": 62,
            "error": None,
        }
    ],
    "context_tokens": 19,
    "context_tokens_saved": 0,
}
