"""The contract between the OpenAPI document of a running service and its answers, tried by schemathesis.

All checks and all phases, with data after the schema and against it. A request after the schema may still be refused,
by statuses that the operation lists in `x-refusals`, such as 422 for a quality whose cost nobody knows; the statuses
that schemathesis itself lets pass (401, 403, 404, 409, 429) stay allowed. Left out: which service is tried.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_SLOW = ("/api/learning/report", "/api/learning/what-if", "/api/router/check", "/api/agents/propose")
"""Each request is a process, or a job that is waited for: their examples and a few cases more."""
_PATIENCE_SECONDS = 900.0
_ALLOWED = ("2xx", "401", "403", "404", "409", "429")


def contract_failures(url: str, key: str, folder: Path, max_examples: int = 2, excluded: Sequence[str] = ()) -> str:
    """Return what schemathesis says where there are failures, or it did not end; empty where all is well.

    By default it takes less than a minute. The long run, of 100 cases an operation, against a running service:

        python -c "import sys; from pathlib import Path; from tests.serve.contract import contract_failures; \\
            sys.exit(contract_failures('http://127.0.0.1:8000', 'KEY', Path('.'), max_examples=100))"

    Args:
        url: of the service, without a path.
        folder: where the document and the settings of the run are written.
        max_examples: cases of the fuzzing and stateful phases, for each operation; the other phases try what there is.
        excluded: paths that are not tried.
    """
    document, settings = folder / "openapi.json", folder / "schemathesis.toml"
    request = urllib.request.Request(f"{url}/openapi.json", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        document.write_bytes(answer.read())
    settings.write_text(_settings(json.loads(document.read_text(encoding="utf-8"))), encoding="utf-8")
    # One worker: Hypothesis parses sources as it goes, and CPython 3.11's parser does not bear that in several threads.
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run", str(document), "--url", url,
        "--header", f"Authorization: Bearer {key}", "--checks", "all", "--mode", "all",
        "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(max_examples), "--seed", "1",
        "--generation-database", "none", "--continue-on-failure", "--request-timeout", "130",
        "--max-response-time", "120", "--workers", "1", "--no-color",
    ]  # fmt: skip
    command += [part for path in excluded for part in ("--exclude-path", path)]
    log = folder / "schemathesis.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            is_well = process.wait(_PATIENCE_SECONDS) == 0
        except subprocess.TimeoutExpired:
            is_well = False
        finally:
            process.kill()
            process.wait()
    return "" if is_well else log.read_text(encoding="utf-8", errors="replace")


def _settings(document: Mapping[str, Any]) -> str:
    lines: list[str] = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            allowed = json.dumps([*_ALLOWED, *map(str, operation.get("x-refusals", ()))])
            lines += [
                "[[operations]]",
                f"include-name = {json.dumps(f'{method.upper()} {path}')}",
                f"checks.positive_data_acceptance.expected-statuses = {allowed}",
            ]
            if path in _SLOW:
                lines += ["phases.coverage.enabled = false", "phases.stateful.enabled = false"]
                lines += ["generation.max-examples = 2"]
    return "\n".join(lines) + "\n"
