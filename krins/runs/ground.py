"""What the policies of a suite are built for, from its environment: arms, rewards and features.

Left out: building them (`krins.routing.build`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from krins.domain import Arm, Task
from krins.environments.table import OutcomeTable
from krins.errors import SuiteError
from krins.interfaces import FloatArray
from krins.routing.build import Ground
from krins.routing.features import FeatureMap, FeatureSpec
from krins.routing.reward import reward_range
from krins.suite import Suite


def recorded_ground(suite: Suite, table: OutcomeTable, rewards: FloatArray) -> Ground:
    """`rewards`: of every sample, shape (n_tasks, n_arms, n_samples)."""
    known = rewards[~np.isnan(rewards)]
    low, high = float(known.min()), float(known.max())
    bounds = (low, high) if low < high else (low, low + 1.0)
    is_binary = bool(np.isin(known, (0.0, 1.0)).all())
    return _ground(suite, table.tasks, table.arms, bounds, is_binary)


def live_ground(suite: Suite, tasks: Sequence[Task], arms: Sequence[Arm]) -> Ground:
    """Live answers are judged pass or fail, so the reward is 0 or 1 where it is quality alone."""
    return _ground(suite, tasks, arms, reward_range(suite.reward), suite.reward.is_quality_alone)


def _ground(
    suite: Suite, tasks: Sequence[Task], arms: Sequence[Arm], bounds: tuple[float, float], is_binary: bool
) -> Ground:
    return Ground(
        arm_names=[arm.name for arm in arms],
        reward=suite.reward,
        reward_range=bounds,
        is_binary=is_binary,
        features=task_features(suite, tasks),
        exploration_floor=suite.exploration_floor,
    )


def task_features(suite: Suite, tasks: Sequence[Task]) -> FloatArray | None:
    """Shape (n_tasks, n_features); None where the suite names no features. Raises what `fit_features` does."""
    fitted = fit_features(suite, tasks)
    return None if fitted is None else fitted.transform(tasks)


def fit_features(suite: Suite, tasks: Sequence[Task]) -> FeatureMap | None:
    """The suite's features, fitted on these tasks; None where it names none.

    Raises:
        SuiteError: a feature is unknown or would leak, or none of the tasks has what it is made from.
        UserError: an embedding is asked for and not installed.
    """
    wanted = suite.features
    if wanted is None:
        return None
    try:
        spec = FeatureSpec(
            one_hot=tuple(wanted.fields),
            length=wanted.length,
            word_buckets=wanted.words,
            character_buckets=wanted.characters,
            embedding=wanted.embedding,
            difficulty_known_at_routing=wanted.difficulty_known_at_routing,
        )
    except ValueError as failure:
        raise SuiteError(f"features: {failure}", "mend the suite's `features`") from None
    of_prompts = wanted.length or wanted.words or wanted.characters or wanted.embedding
    if of_prompts and not any(task.prompt for task in tasks):
        raise SuiteError(
            "features: length, words, characters and embedding are made from prompts, and no task has one",
            "use a table with a column `prompt`, or features of `fields` alone",
        )
    missing = [field for field in wanted.fields if all(getattr(task, field) is None for task in tasks)]
    if missing:
        raise SuiteError(f"features: no task has a {' or a '.join(missing)}", "leave it out of `features.fields`")
    return spec.fit(tasks)
