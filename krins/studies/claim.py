"""One sentence that says what a comparison allows to be claimed, and no more.

Invariants: it follows from verdicts and tests alone; numbers come with their 95% intervals. Left out: everything else
that the table shows.
"""

from __future__ import annotations

from dataclasses import dataclass

from krins.studies.comparison import AgainstReference, ComparedRouter, Comparison, Difference, MarginTest


@dataclass(frozen=True)
class _Rival:
    router: ComparedRouter
    against: AgainstReference
    test: MarginTest
    """At the margin that is asked for."""


def claim(found: Comparison) -> str:
    """What may be said of the best router, or of the one that comes nearest to a saving."""
    rivals = [
        _Rival(one, one.against_reference, next(t for t in one.against_reference.tests if t.margin == found.margin))
        for one in found.routers
        if one.against_reference is not None
    ]
    against = f"against {found.reference.label} at a margin of {write_points(found.margin)} in quality"
    shown = [rival for rival in rivals if rival.against.verdict == "saving"]
    if shown:
        best = max(shown, key=lambda rival: _saving_of(rival).mean)
        others = f" (and so may {len(shown) - 1} more)" if len(shown) > 1 else ""
        return (
            f"{best.router.label} may be called a saving {against}{others}: it is {_cheaper(best)}, its quality "
            f"{_apart(best)}; adjusted p = {write_p(best.test.p_adjusted)}."
        )
    return f"No router may be called a saving {against}: {_why_none(rivals)}."


def _why_none(rivals: list[_Rival]) -> str:
    told = [rival for rival in rivals if rival.test.p is not None]
    if not told:
        nearest = max(rivals, key=lambda rival: rival.against.quality.mean)
        why = "costs are not known" if nearest.against.saving is None else "one cluster of tasks tells nothing"
        return f"{why}; the best by quality, {nearest.router.label}, is {_apart(nearest)}"
    nearest = min(told, key=_distance)
    if nearest.against.verdict == "unadjusted":
        return (
            f"{nearest.router.label} alone would pass (p = {write_p(nearest.test.p)}), but not as one of {len(told)} "
            f"(adjusted p = {write_p(nearest.test.p_adjusted)})"
        )
    return f"the nearest, {nearest.router.label}, is {_cheaper(nearest)}, its quality {_apart(nearest)}"


def _distance(rival: _Rival) -> tuple[float, float]:
    """From a saving: by the p-value, and where that is next to 1 for several by the quality."""
    assert rival.test.p is not None
    return round(rival.test.p, 3), -rival.against.quality.mean


def _saving_of(rival: _Rival) -> Difference:
    assert rival.against.saving is not None
    return rival.against.saving


def _cheaper(rival: _Rival) -> str:
    saving = _saving_of(rival)
    what = "cheaper" if saving.mean >= 0 else "dearer"
    sign = 1 if saving.mean >= 0 else -1
    ends = sorted(100 * sign * end for end in (saving.low, saving.high) if end is not None)
    interval = f" [{ends[0]:.0f}, {ends[1]:.0f}]" if ends else ""
    return f"{100 * abs(saving.mean):.0f}%{interval} {what}"


def _apart(rival: _Rival) -> str:
    difference = rival.against.quality
    what = "higher" if difference.mean > 0 else "lower"
    sign = 1 if difference.mean > 0 else -1
    ends = sorted(100 * sign * end for end in (difference.low, difference.high) if end is not None)
    interval = f" [{ends[0]:.1f}, {ends[1]:.1f}]" if ends else ""
    return f"{100 * abs(difference.mean):.1f}{interval} points {what}"


def write_points(share: float) -> str:
    """`2 points`, `1 point`, `2.5 points`."""
    return f"{100 * share:g} point{'' if abs(100 * share - 1) < 1e-9 else 's'}"


def write_p(p: float | None) -> str:
    """A p-value, never rounded to nothing."""
    return "unknown" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"
