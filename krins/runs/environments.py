"""From a suite to an environment that is known to work: what is wrong is said before a run begins.

Left out: reaching model servers, which is the first thing that a live run does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from krins.environments.reading import read_table
from krins.environments.table import OutcomeTable
from krins.errors import SuiteError
from krins.models.catalogue import check_prices, resolve_all
from krins.models.providers import check_provider
from krins.models.spec import ModelSpec
from krins.pipeline.contexts import with_contexts
from krins.pipeline.tasks import CodingTask, load_tasks, runnable
from krins.router_specs import CHARGED, CONTEXTUAL, Exp3Router
from krins.routing.build import Ground, check_reward_range, check_router
from krins.runs.ground import live_ground
from krins.runs.plan import BLOCK_SIZE, Plan
from krins.runs.recorded_run import StreamPlayer
from krins.runs.worker import LiveInputs
from krins.suite import LiveEnvironment, RecordedEnvironment, Suite

_MOST_STATE_BYTES = 4 * 2**30


@dataclass(frozen=True)
class RecordedSetting:
    player: StreamPlayer

    @property
    def plan(self) -> Plan:
        return self.player.plan

    @property
    def table(self) -> OutcomeTable:
        return self.player.table


@dataclass(frozen=True)
class LiveSetting:
    plan: Plan
    inputs: LiveInputs
    warnings: Sequence[str] = ()
    """What a user should know before it begins."""


def prepare(suite: Suite, allow_unsafe: bool) -> RecordedSetting | LiveSetting:
    """Read the table or the tasks, and check that every router fits.

    Raises:
        TableError, TaskError, SandboxMissing: the environment cannot be had.
        SuiteError: a model is unknown, or a router does not fit the environment or the reward.
    """
    environment = suite.environment
    if isinstance(environment, RecordedEnvironment):
        return recorded_setting(suite, read_table(environment))
    inputs, warnings = live_inputs(environment, allow_unsafe)
    plan = Plan(suite, len(inputs.tasks), len(inputs.arms))
    ground = live_ground(suite, inputs.tasks, inputs.arms)
    _check_routers(suite, ground)
    _check_size(suite, ground)
    _check_bounded(suite)
    return LiveSetting(plan, inputs, warnings)


def live_inputs(environment: LiveEnvironment, allow_unsafe: bool) -> tuple[LiveInputs, list[str]]:
    """What workers of a live suite are built from, and what a user should know before they are.

    Raises:
        SuiteError, TaskError, SandboxMissing, UserError: a model, a task, the sandbox or a key is not to be had.
    """
    from krins.quality.sandbox import choose_sandbox

    tasks, left_out = runnable(load_tasks(environment))
    coding_tasks = with_contexts(tasks, environment.context)
    choose_sandbox(allow_unsafe)
    specs = resolve_all(environment.models)
    warnings = [
        *(f"{len(ids)} tasks are left out, for {program} is not installed" for program, ids in left_out.items()),
        *check_prices(list(specs.values()), environment.budget),
        *_context_warnings(environment, coding_tasks, specs),
    ]
    for spec in specs.values():
        check_provider(spec)
    return LiveInputs(environment, specs, coding_tasks, allow_unsafe), warnings


def _context_warnings(
    environment: LiveEnvironment, coding_tasks: Sequence[CodingTask], specs: Mapping[str, ModelSpec]
) -> list[str]:
    if environment.context == "none":
        return []
    given = [coding.context.tokens for coding in coding_tasks if coding.context is not None]
    if not given:
        return ["the suite asks for context, and no task has a folder `tree` to take it from"]
    windows = {name: spec.context_window for name, spec in specs.items()}
    return [
        f"the largest context has {max(given):,} tokens, more than the {window:,} that model {name} takes"
        for name, window in windows.items()
        if window is not None and window < max(given)
    ]


def recorded_setting(suite: Suite, table: OutcomeTable) -> RecordedSetting:
    player = StreamPlayer(Plan(suite, len(table.tasks), len(table.arms)), table)
    _check_routers(suite, player.ground)
    _check_costs(suite, table)
    _check_size(suite, player.ground)
    for router in suite.routers:
        check_reward_range(router, float(np.nanmin(player.rewards)), float(np.nanmax(player.rewards)))
    return RecordedSetting(player)


def _check_routers(suite: Suite, ground: Ground) -> None:
    for router in suite.routers:
        check_router(ground, router)


def _check_costs(suite: Suite, table: OutcomeTable) -> None:
    charged = [router.label for router in suite.routers if isinstance(router, CHARGED)]
    if charged and np.isnan(table.cost_usd[~np.isnan(table.quality)]).any():
        raise SuiteError(
            f"router {charged[0]} learns what answers cost, which this table does not know for every outcome",
            "use a table that knows costs, or `missing: fail`, which fills in a model's mean",
        )


def _check_bounded(suite: Suite) -> None:
    """What answers will cost, nobody knows beforehand; a router that refuses rewards must not do so in mid-run."""
    reward = suite.reward
    least = 0.0 if not reward.per_usd else -np.inf if reward.floor is None else reward.floor
    for router in (router for router in suite.routers if isinstance(router, Exp3Router)):
        low, high = router.reward_range
        if not (low <= least and reward.quality <= high):
            raise SuiteError(
                f"router {router.label}: rewards of this suite may fall outside its reward_range {[low, high]}, and it "
                "refuses those",
                f"give the suite's reward a `floor: {low:g}`, and the router a reward_range that holds both ends",
            )


def _check_size(suite: Suite, ground: Ground) -> None:
    if ground.features is None:
        return
    n_replications = min(suite.n_replications, BLOCK_SIZE)
    for router in suite.routers:
        if isinstance(router, CONTEXTUAL):
            n_arms, width = len(ground.arm_names), ground.features.shape[1]
            n_numbers = (n_arms + width) ** 2 if router.shared else n_arms * width**2
            if (size := 8 * n_replications * n_numbers) > _MOST_STATE_BYTES:
                raise SuiteError(
                    f"router {router.label}: {width} features of {n_arms} models in {n_replications} replications take "
                    f"{size / 2**30:.1f} GiB",
                    "name fewer features, or set `shared: true`",
                )
