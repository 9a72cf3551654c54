"""Who judges a task's changes: hidden tests, under limits that leave room for the programs the task needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from krins.interfaces import Limits, Sandbox, Verifier
from krins.pipeline.tasks import CodingTask
from krins.quality.hidden_tests import HiddenTests
from krins.quality.programs import with_room

VerifierOf = Callable[[CodingTask], Verifier]
_DEFAULT_LIMITS = Limits()


def hidden_tests(sandbox: Sandbox, limits: Limits = _DEFAULT_LIMITS) -> VerifierOf:
    """By task: its verifier, one for all tasks with the same needs."""

    @cache
    def under(limits: Limits) -> Verifier:
        return HiddenTests(sandbox, limits)

    return lambda coding: under(with_room(limits, coding.needs))
