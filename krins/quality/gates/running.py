"""The gates of the pipeline in their order, cheapest first, and how they are run on a change.

Invariants: every gate has a row in the result, in the order given; a gate that was not run says why.
Left out: what is done about a red row (`krins.domain.GateResult.is_red`), which is the pipeline's to decide.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from krins.domain import Change, GateResult, GateStatus
from krins.interfaces import Gate, Sandbox
from krins.quality.gates.base import Now
from krins.quality.gates.licences import LicencesGate
from krins.quality.gates.own_tests import Impacted, TestImpactGate, VisibleTestsGate
from krins.quality.gates.secrets import SecretsGate
from krins.quality.gates.security import SecurityGate, SemgrepGate
from krins.quality.gates.syntax import SYNTAX, Parses, SyntaxGate


def default_gates(
    sandbox: Sandbox,
    parses: Parses,
    visible_tests: Sequence[str],
    impacted: Impacted,
    licences_block: bool = False,
    now: Now = time.monotonic,
) -> Sequence[Gate]:
    """All gates of the pipeline; semgrep comes last, an extra that blocks nothing where it is missing.

    Args:
        parses: syntax errors of languages without a compiler at hand, e.g. `krins.pipeline.syntax.syntax_error_lines`.
        visible_tests: paths of the test files that the task shows.
        impacted: which test files a change can break; None on any doubt.
    """
    return (
        SyntaxGate(sandbox, parses, now=now),
        VisibleTestsGate(sandbox, visible_tests, now=now),
        TestImpactGate(sandbox, impacted, now=now),
        SecurityGate(now),
        SecretsGate(now),
        LicencesGate(licences_block, now),
        SemgrepGate(now),
    )


def run_gates(gates: Sequence[Gate], change: Change) -> list[GateResult]:
    """Run `gates` one after the other.

    After red syntax, no later gate is run: what does not parse can neither be run nor analysed; their rows say so, and
    block nothing. After any other red all go on, so that one round of repair sees everything that is wrong.
    """
    results: list[GateResult] = []
    broken = False
    for gate in gates:
        if broken:
            results.append(GateResult(gate.name, GateStatus.NOT_RUN, False, f"{SYNTAX} is red", 0.0))
            continue
        results.append(gate.check(change))
        broken = gate.name == SYNTAX and results[-1].is_red
    return results
