"""One router against the reference: differences, tests of a saving, and the verdict.

Invariants: everything is made of values a task, router minus reference, and of the same clusters; a verdict never
contradicts the 95% intervals. Left out: who is compared (`krins.studies.entrants`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from krins.interfaces import FloatArray
from krins.runs.baselines import ANYTHING, DUST, Range
from krins.statistics.clustered import ClusteredMean, clustered_mean, spread
from krins.statistics.contrasts import saving_values
from krins.statistics.multiplicity import holm, simultaneous_level
from krins.statistics.non_inferiority import (
    SIGNIFICANCE,
    both_p,
    detectable_difference,
    non_inferiority_p,
    saving_p,
    smallest_margin,
)
from krins.studies.compared_runs import Played, Values
from krins.studies.comparison import AgainstReference, Difference, MarginTest, Verdict
from krins.studies.entrants import Field

LEVEL = 0.95


class Against:
    """One router against the reference."""

    def __init__(self, field: Field, router: Played) -> None:
        reference = field.reference
        self._clusters, self._level = field.clusters, simultaneous_level(LEVEL, len(field.rivals))
        self._quality = router.quality.tasks - reference.quality, router.quality.replications - reference.quality.mean()
        self._reward = _minus(router.reward, reference.reward)
        self._saving = _saving(router.cost_usd, reference.cost_usd)
        self.quality = clustered_mean(self._quality[0], self._clusters)
        self.saving = None if self._saving is None else clustered_mean(self._saving[0], self._clusters)

    @property
    def n_differing(self) -> int:
        """Clusters in which the quality of some task differs."""
        return len(np.unique(self._clusters[self._quality[0] != 0]))

    def found(self, tests: list[MarginTest], margin: float) -> AgainstReference:
        quality = self._difference(*self._quality, within=(-1.0, 1.0))
        saving = None if self._saving is None else self._difference(*self._saving, within=(-np.inf, 1.0))
        asked = next(test for test in tests if test.margin == margin)
        return AgainstReference(
            quality=quality,
            saving=saving,
            reward=None if self._reward is None else self._difference(*self._reward),
            tests=tests,
            smallest_margin=smallest_margin(self.quality),
            verdict=_verdict(asked, quality, saving),
        )

    def _difference(self, tasks: FloatArray, replications: FloatArray, within: Range = ANYTHING) -> Difference:
        found = clustered_mean(tasks, self._clusters)
        low, high = _limits(found, LEVEL, within)
        simultaneous_low, simultaneous_high = _limits(found, self._level, within)
        replication_low, replication_high = spread(replications)
        return Difference(
            mean=float(tasks.mean()),
            low=low,
            high=high,
            simultaneous_low=simultaneous_low,
            simultaneous_high=simultaneous_high,
            replication_low=replication_low,
            replication_high=replication_high,
            detectable=detectable_difference(found),
        )


def _minus(router: Values | None, reference: FloatArray | None) -> tuple[FloatArray, FloatArray] | None:
    if router is None or reference is None:
        return None
    return router.tasks - reference, router.replications - reference.mean()


def _saving(router: Values | None, reference: FloatArray | None) -> tuple[FloatArray, FloatArray] | None:
    """Values a task whose mean is the saving, and the saving of each replication."""
    if router is None or reference is None or reference.mean() == 0:
        return None
    return saving_values(router.tasks, reference), 1 - router.replications / reference.mean()


def _limits(found: ClusteredMean | None, level: float, within: Range) -> tuple[float | None, float | None]:
    if found is None:
        return None, None
    half = found.half_width(level)
    return max(found.mean - half, within[0]), min(found.mean + half, within[1])


def margin_tests(rivals: Mapping[str, Against], margin: float) -> dict[str, MarginTest]:
    """Of every router at one margin, by label; adjusted for how many they are."""
    single = {
        label: (non_inferiority_p(rival.quality, margin), saving_p(rival.saving)) for label, rival in rivals.items()
    }
    both = {label: both_p(*ps) for label, ps in single.items()}
    adjusted = holm({label: p for label, p in both.items() if p is not None})
    return {
        label: MarginTest(
            margin=margin,
            p_quality=p_quality,
            p_saving=p_saving,
            p=both[label],
            p_adjusted=adjusted.get(label),
            is_shown=adjusted.get(label, 1.0) <= SIGNIFICANCE,
        )
        for label, (p_quality, p_saving) in single.items()
    }


def _verdict(test: MarginTest, quality: Difference, saving: Difference | None) -> Verdict:
    if test.p is None or test.p_quality is None or saving is None:
        return "unknown"
    if test.is_shown:
        return "saving"
    if test.p <= SIGNIFICANCE:
        return "unadjusted"
    if saving.mean <= DUST:
        return "not cheaper"
    if test.p_quality <= SIGNIFICANCE:
        return "may not be cheaper"
    return "quality is lower" if quality.high is not None and quality.high < 0 else "quality may be lower"
