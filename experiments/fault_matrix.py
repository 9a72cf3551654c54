"""How does a call end under each fault, at each provider, streamed or not, and is it charged as the provider bills it?

Every fault of the fake provider x Anthropic's Messages, OpenAI's Responses and Chat Completions, and Google's Gemini,
each through its official SDK and all layers, with one try and 4 s for the question. The fake provider's own bill is the
truth.

    python experiments/fault_matrix.py
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from krins.fake_provider.faults import Kind
from tests.support.fake_provider import running
from tests.support.fault_matrix import CASES, PROVIDERS, Case, Met, base_url, faults_of, meet, row_of


async def play(cases: list[Case]) -> list[tuple[Met, list[str]]]:
    async with running() as server:
        met = await asyncio.gather(*(meet(case, base_url(server.url, case.provider)) for case in cases))
        return [(one, faults_of(one, row_of(one.case, server.bill.rows))) for one in met]


def ending(met: Iterable[Met]) -> str:
    ends = {type(one.error).__name__ if one.error else "answered" for one in met}
    marks = " (worst case charged)" if any(one.call.is_usage_unknown for one in met) else ""
    return "/".join(sorted(ends)) + marks


def main() -> None:
    os.environ["KRINS_NO_PAID_CALLS"] = "1"
    wrong: list[str] = []
    n_hung = 0
    print("| fault | " + " | ".join(PROVIDERS) + " |\n|" + "---|" * (1 + len(PROVIDERS)))
    for kind in Kind:
        cells = []
        for provider in PROVIDERS:
            played = [
                one for is_streamed in (False, True) for one in asyncio.run(play([Case(provider, kind, is_streamed)]))
            ]
            n_hung += sum(met.is_hung for met, _ in played)
            wrong += [f"{met.case}: {fault}" for met, faults in played for fault in faults]
            cells.append(ending([met for met, _ in played]))
        print(f"| {kind} | " + " | ".join(cells) + " |")
    print(f"{len(CASES)} cases, {n_hung} hung, {len(wrong)} not as documented or not as billed", *wrong, sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
