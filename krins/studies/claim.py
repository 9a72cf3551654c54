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
    return f"No router may be called a saving {against}: {_why_none(found, rivals)}."


def _why_none(found: Comparison, rivals: list[_Rival]) -> str:
    told = [rival for rival in rivals if rival.test.p is not None]
    if not told:
        nearest = max(rivals, key=lambda rival: rival.against.quality.mean)
        return (
            f"{_untold(found, nearest)}; the best by quality is {nearest.router.label}, its quality {_apart(nearest)}"
        )
    nearest = min(told, key=_distance)
    if nearest.against.verdict == "unadjusted":
        return (
            f"{nearest.router.label} alone would pass (p = {write_p(nearest.test.p)}), but not as one of {len(told)} "
            f"(adjusted p = {write_p(nearest.test.p_adjusted)})"
        )
    return f"the nearest, {nearest.router.label}, is {_cheaper(nearest)}, its quality {_apart(nearest)}"


def _untold(found: Comparison, rival: _Rival) -> str:
    if rival.against.saving is not None:
        return "one cluster of tasks tells nothing"
    cost = found.reference.cost_usd
    return "the reference costs nothing, so nothing is cheaper" if cost and cost.mean == 0 else "costs are not known"


def _distance(rival: _Rival) -> tuple[float, float]:
    """From a saving: by the p-value, and where that is next to 1 for several by the quality."""
    assert rival.test.p is not None
    return round(rival.test.p, 3), -rival.against.quality.mean


def _saving_of(rival: _Rival) -> Difference:
    assert rival.against.saving is not None
    return rival.against.saving


def _cheaper(rival: _Rival) -> str:
    return _either_way(_saving_of(rival), "%", 0, ("cheaper", "dearer"), "as dear")


def _apart(rival: _Rival) -> str:
    return _either_way(rival.against.quality, "", 1, ("points higher", "points lower"), "the same")


def _either_way(found: Difference, unit: str, decimals: int, ways: tuple[str, str], neither: str) -> str:
    """A difference of shares in hundredths, without its sign, and which way it goes."""
    ends = [end for end in (found.low, found.high) if end is not None]
    if not any(round(100 * value, decimals) for value in (found.mean, *ends)):
        return neither
    sign = 1 if found.mean >= 0 else -1

    def write(share: float) -> str:
        # Adding 0 makes a negative zero a zero.
        return f"{round(100 * sign * share, decimals) + 0.0:.{decimals}f}"

    interval = f" [{', '.join(sorted(map(write, ends), key=float))}]" if ends else ""
    return f"{write(found.mean)}{unit}{interval} {ways[sign < 0]}"


def write_points(share: float) -> str:
    """`2 points`, `1 point`, `2.5 points`."""
    return f"{100 * share:g} point{'' if abs(100 * share - 1) < 1e-9 else 's'}"


def write_p(p: float | None) -> str:
    """A p-value, never rounded to nothing."""
    return "unknown" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"
