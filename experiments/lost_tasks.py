"""Is a task ever lost when 20% of calls fail at random in every way there is?

The project's twelve tasks are recorded with 84 samples each, 1,008 attempts in all, through the whole harness: official
SDK, layers, sandbox, journal. The fake provider solves 70% of them and fails a fifth of the calls; failures are drawn
from all kinds. Every attempt must come out as one row: an answer that was judged, or a failure with its name. Ledger,
journal and the fake's bill are compared. Synthetic: the fake answers, no model does.

    python experiments/lost_tasks.py [--samples 84] [--share 0.2]
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from krins.runs.execution import Execution
from krins.runs.recording import record_suite
from krins.runs.session import read_run
from krins.runs.store import Store
from tests.support.fake_provider import start_fake_provider
from tests.support.suites import live_environment, write_suite

KINDS = (
    "rate_limited:0.1 rate_limited_silent server_error overloaded slow_first_byte:0.2 stall:30 half_closed reset",
    "ends_early truncated_json missing_final_event error_in_stream refusal blocked empty_answer no_usage",
    "duplicate_usage",
)


def suite_file(folder: Path, base_url: str, samples: int) -> Path:
    environment = live_environment(base_url, ["p-70"], samples=samples, max_concurrency=16)
    for model in environment["models"]:
        model |= {"max_output_tokens": 600, "first_token_timeout_seconds": 2.0, "max_tries": 5}
    return write_suite(folder, environment, ["random"])


@click.command()
@click.option("--samples", type=click.IntRange(min=1), default=84, show_default=True)
@click.option("--share", type=click.FloatRange(0, 1), default=0.2, show_default=True)
def main(samples: int, share: float) -> None:
    os.environ["KRINS_NO_PAID_CALLS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = " ".join(KINDS).split()
        faults = [option for kind in kinds for option in ("--fault", f"{kind}={share / len(kinds)}")]
        server = start_fake_provider(folder, *faults)
        try:
            suite = suite_file(folder, server.base_url, samples)
            recorded = record_suite(
                suite, folder / "t.parquet", home=folder / "home", execution=Execution(is_confirmed=True)
            )
            bill = [row for row in server.bill if row["billed"]]
        finally:
            server.stop()
        store = Store(folder / "home")
        outcomes = read_run(store, store.run_ids()[-1]).observed
    prompt, completion = Decimal(1) / 1_000_000, Decimal(2) / 1_000_000
    truth = sum((row["input_tokens"] * prompt + row["output_tokens"] * completion for row in bill), Decimal(0))
    ends = Counter(outcome.failure.kind.value if outcome.failure else "judged" for outcome in outcomes)
    unknown = sum(call.is_usage_unknown for outcome in outcomes for call in outcome.calls)
    n_calls = sum(len(outcome.calls) for outcome in outcomes)
    expected = 12 * samples
    print(f"{expected:,} attempts, {len(outcomes):,} outcomes, {recorded.n_rows:,} rows: {dict(ends)}")
    print(f"{n_calls:,} calls, {unknown} of them of unknown usage and charged at their worst")
    print(f"charged ${recorded.billed_usd:.6f}, the fake's bill ${truth:.6f}")
    sys.exit(0 if recorded.n_rows == len(outcomes) == expected and recorded.billed_usd >= truth else 1)


if __name__ == "__main__":
    main()
