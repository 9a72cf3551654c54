"""Do answers come, and at what price, when 30% of calls fail in every way there is, and two of three providers are ill?

10,000 questions to Anthropic's, OpenAI's and Google's protocol at the fake provider, through the official SDKs and all
layers: 30% of the calls of the first two providers meet a fault, drawn at random from all kinds; the third is healthy.
Every answer is compared with what the fake must have said. Then a dead provider: how many calls until its breaker
opens, and what a request that it turns away costs. Synthetic: nothing here comes out of a model.

    python experiments/chaos.py [--questions 10000] [--share 0.3] [--seed 0]
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from krins.clock import SystemClock
from krins.domain import Call, Request, Scope
from krins.errors import CircuitOpen, ModelFault
from krins.fake_provider.answers import Echo, Question
from krins.fake_provider.faults import Fault, FaultPlan, Kind, Rule
from krins.fake_provider.server import FakeProvider
from krins.models.ledger import RUN
from krins.models.spec import ModelSpec, ProviderName
from krins.models.stack import ModelPool
from krins.models.waiting_ledger import SharedLedger
from krins.suite import Budget
from tests.support.fault_matrix import base_url, billed_usd, spec_for

CHAIN: tuple[ProviderName, ...] = ("anthropic", "openai", "google")
HARMLESS = {Kind.NO_USAGE, Kind.DUPLICATE_USAGE, Kind.LENGTH}
"""Not faults of the call: the answer comes, or a shorter one."""
NUMBERS = {Kind.SLOW_FIRST_BYTE: 2.0, Kind.STALL: 30.0, Kind.HUGE_ANSWER: 33.0, Kind.RATE_LIMITED: 0.2}
RARE = {Kind.HUGE_ANSWER, Kind.CONNECT_REFUSED, Kind.RESET_AT_ACCEPT}
"""A tenth as often: tens of MiB each, or an outage for everybody."""
IN_FLIGHT = 64


def plan(share: float, seed: int) -> FaultPlan:
    kinds = [kind for kind in Kind if kind not in HARMLESS]
    weights = {kind: 0.1 if kind in RARE else 1.0 for kind in kinds}
    total = sum(weights.values())
    shares = {Fault(kind, NUMBERS.get(kind, 0.05)): share * weights[kind] / total for kind in kinds}
    return FaultPlan(tuple(Rule(provider=provider, shares=shares) for provider in CHAIN[:2]), seed)


def chained(urls: dict[ProviderName, str]) -> dict[str, ModelSpec]:
    keys = {"timeout_seconds": 60.0, "first_token_timeout_seconds": 1.0, "max_tries": 2, "max_output_tokens": 64}
    specs = {f"m-{p}": spec_for(p, f"m-{p}", base_url(urls[p], p), **keys) for p in CHAIN}
    first, *others = specs.values()
    asked = ModelSpec(**{**{f: getattr(first, f) for f in first.__dataclass_fields__}, "fallback": tuple(specs)[1:]})
    return {asked.name: asked, **{other.name: other for other in others}}


async def ask_all(n: int, share: float, seed: int) -> bool:
    echo, right, calls = Echo(), 0, list[Call]()
    ended: Counter[str] = Counter()
    # A server each: when one refuses connections, that is nothing to the others.
    async with AsyncExitStack() as stack:
        servers = {p: await stack.enter_async_context(FakeProvider(echo, plan(share, seed))) for p in CHAIN}
        specs = chained({provider: server.url for provider, server in servers.items()})
        ledger = SharedLedger(Budget(), {})
        pool = ModelPool(specs, ledger, None, SystemClock(), random.Random(seed), IN_FLIGHT)
        model, slots = pool.models[f"m-{CHAIN[0]}"], asyncio.Semaphore(IN_FLIGHT)

        async def ask(i: int) -> None:
            nonlocal right
            prompt = f"Question {i}"
            async with slots:
                try:
                    attempt = await model.answer(Request.of(prompt), Scope(f"d{i}", f"t{i}"))
                except ModelFault as fault:
                    ended[type(fault).__name__] += 1
                    calls.extend(fault.calls)
                    return
            calls.extend(attempt.calls)
            right += attempt.text == echo.answer(Question(attempt.model, prompt, 0, {})).text
            ended["answered"] += 1

        await asyncio.gather(*(ask(i) for i in range(n)))
        await pool.close()
        bill = sum(billed_usd(row) for server in servers.values() for row in server.bill.rows)
        spent = (await ledger.balance(RUN)).spent
    faults = sum(call.error is not None for call in calls)
    extra = (len(calls) - faults) / n
    print(f"{n:,} questions: {right:,} answered rightly ({dict(ended)})")
    print(f"{len(calls):,} calls, {faults:,} of them faults; {extra:.3f} calls an answer beyond the faults themselves")
    kinds = Counter(call.error.split(":")[0] for call in calls if call.error)
    print("faults met:", ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common()))
    print(f"ledger ${spent.usd:.4f}, of calls ${sum(c.billed_usd or 0 for c in calls):.4f}, fake's bill ${bill:.4f}")
    return right == n and extra <= 1.2 and spent.usd >= bill


async def dead_provider() -> bool:
    async with FakeProvider(plan=FaultPlan((Rule(shares={Fault(Kind.SERVER_ERROR): 1.0}),))) as server:
        spec = spec_for("openai-chat", "dead", base_url(server.url, "openai-chat"), max_tries=1)
        pool = ModelPool({"dead": spec}, SharedLedger(Budget(), {}), None, SystemClock(), random.Random(0), 8)
        model, seen = pool.models["dead"], list[str]()
        while len(seen) < 1000:
            try:
                await model.answer(Request.of("?"))
            except ModelFault as fault:
                seen.append(type(fault).__name__)
                if isinstance(fault, CircuitOpen):
                    break
        n_calls = len(server.bill.rows)
        started, n_open = time.process_time(), 1000
        for _ in range(n_open):
            with contextlib.suppress(CircuitOpen):
                await model.answer(Request.of("?"))
        each_ms = (time.process_time() - started) / n_open * 1000
        await pool.close()
    print(f"dead provider: the breaker opened after {n_calls} calls; then {each_ms:.3f} ms of CPU a request")
    return n_calls <= 10 and each_ms <= 0.1


@click.command()
@click.option("--questions", type=click.IntRange(min=1), default=10_000, show_default=True)
@click.option("--share", type=click.FloatRange(0, 1), default=0.3, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(questions: int, share: float, seed: int) -> None:
    os.environ["KRINS_NO_PAID_CALLS"] = "1"
    answered = asyncio.run(ask_all(questions, share, seed))
    opened = asyncio.run(dead_provider())
    sys.exit(0 if answered and opened else 1)


if __name__ == "__main__":
    main()
