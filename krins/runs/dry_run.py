"""Say what a suite would do, having checked all that can be checked without doing it."""

from __future__ import annotations

from pathlib import Path

from krins.pipeline.contexts import describe_contexts
from krins.runs.environments import LiveSetting, RecordedSetting, prepare
from krins.runs.preflight import describe_forecast, forecast_run
from krins.runs.run import customise
from krins.suite_file import load_suite


def describe_plan(
    suite_path: Path, table: Path | None, seed: int | None, replications: int | None, allow_unsafe: bool
) -> str:
    """What `krins-eval run` would do with these arguments.

    Raises:
        UserError: whatever would stop the run before it begins.
    """
    suite = customise(load_suite(suite_path), table, seed, replications)
    setting = prepare(suite, allow_unsafe)
    plan = setting.plan
    lines = [
        f"suite {suite.name}, seed {suite.seed}, fingerprint {suite.fingerprint[:16]}",
        f"{plan.n_tasks} tasks x {suite.passes} passes x {suite.n_replications} replications x {len(suite.routers)} "
        f"routers = {plan.n_decisions:,} decisions, in rounds of {suite.n_decisions_a_round}",
        "routers: " + ", ".join(router.label for router in suite.routers),
        *(_live_lines(setting) if isinstance(setting, LiveSetting) else _recorded_lines(setting)),
        "nothing was run",
    ]
    return "\n".join(lines)


def _recorded_lines(setting: RecordedSetting) -> list[str]:
    table = setting.table
    filled = table.imputation
    return [
        f"recorded outcomes of {len(table.arms)} models, SHA-256 {(table.sha256 or '')[:16]}",
        f"{filled.missing_outcomes} missing outcomes and {filled.missing_costs} missing costs would be filled in, "
        f"{filled.dropped_tasks} tasks dropped",
    ]


def _live_lines(setting: LiveSetting) -> list[str]:
    inputs, specs = setting.inputs, setting.inputs.specs
    context = describe_contexts(inputs.coding_tasks)
    return [
        "models: " + ", ".join(f"{name} ({spec.endpoint})" for name, spec in specs.items()),
        *([f"context: {inputs.environment.context_label}, {context}"] if context else []),
        *(f"warning: {warning}" for warning in setting.warnings),
        describe_forecast(forecast_run(setting.plan, inputs)),
    ]
