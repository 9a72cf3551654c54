"""What do krins's layers add to a call of the bare SDK, in CPU?

Both sides ask the same questions of the fake provider, which runs in a process of its own, one call at a time through
the official SDK over the same kind of HTTP client; one side through all layers as well (retries, breaker, concurrency,
ledger with a budget, timeouts, and the cache where it says so). They alternate in blocks; what counts is the difference
of their CPU time a call, block by block. The target holds without the cache: a miss also writes the answer to disk.
Synthetic: the answers are the fake's.

    python experiments/overhead.py [--blocks 10] [--calls 300]
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from krins.clock import SystemClock
from krins.domain import Request, Scope
from krins.models.cache import AnswerStore
from krins.models.prices import CataloguePrice
from krins.models.providers import build_provider
from krins.models.spec import ModelSpec
from krins.models.stack import ModelPool
from krins.models.waiting_ledger import SharedLedger
from krins.suite import AnswerCache, Budget, Limit
from tests.support.fake_provider import start_fake_provider
from tests.support.fault_matrix import PROVIDERS, base_url, spec_for

Ask = Callable[[int], Awaitable[object]]
BUDGET = Budget(run=Limit(usd=Decimal(1000)), task=Limit(usd=Decimal(1)))
PRICE = CataloguePrice("anthropic", "claude-haiku-4-5")
TARGET_MS = 0.5


async def block_ms(ask: Ask, numbers: range) -> float:
    started = time.process_time()
    for number in numbers:
        await ask(number)
    return (time.process_time() - started) / len(numbers) * 1000


async def compare(spec: ModelSpec, blocks: int, calls: int, store: AnswerStore | None) -> list[float]:
    """CPU that the layers add, in ms a call, block by block."""
    clock = SystemClock()
    bare = build_provider(spec, clock)
    pool = ModelPool({spec.name: spec}, SharedLedger(BUDGET, {}), store, clock, random.Random(0), 8)
    model = pool.models[spec.name]

    async def ask_bare(number: int) -> object:
        return await bare.reply(Request.of(f"Question {number}"))

    async def ask_layers(number: int) -> object:
        return await model.answer(Request.of(f"Question {number}"), Scope(f"{number:032x}", "t"))

    added = []
    try:
        for block in range(-1, blocks):
            numbers = range((block + 1) * calls, (block + 2) * calls)
            without, with_layers = await block_ms(ask_bare, numbers), await block_ms(ask_layers, numbers)
            if block >= 0:  # the first one warms up
                added.append(with_layers - without)
    finally:
        await bare.close()
        await pool.close()
    return added


@click.command()
@click.option("--blocks", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--calls", type=click.IntRange(min=1), default=300, show_default=True)
def main(blocks: int, calls: int) -> None:
    os.environ["KRINS_NO_PAID_CALLS"] = "1"
    medians = []
    with tempfile.TemporaryDirectory() as folder:
        server = start_fake_provider(Path(folder))
        try:
            for provider in PROVIDERS:
                for is_cached in (False, True):
                    spec = spec_for(provider, "m", base_url(server.url, provider), max_output_tokens=64)
                    spec = ModelSpec(**{**{n: getattr(spec, n) for n in spec.__dataclass_fields__}, "price": PRICE})
                    store = AnswerStore(Path(folder) / provider, AnswerCache()) if is_cached else None
                    added = asyncio.run(compare(spec, blocks, calls, store))
                    if store is not None:
                        store.close()
                    median = statistics.median(added)
                    if not is_cached:
                        medians.append(median)
                    what = "layers and cache (misses)" if is_cached else "layers"
                    print(
                        f"{provider}, {what}: adds {median:.3f} ms of CPU a call "
                        f"({min(added):.3f} to {max(added):.3f} over {blocks} blocks of {calls})"
                    )
        finally:
            server.stop()
    sys.exit(0 if max(medians) <= TARGET_MS else 1)


if __name__ == "__main__":
    main()
