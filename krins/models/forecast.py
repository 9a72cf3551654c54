"""What a run will cost, forecast before it begins.

For each arm the caller says how many decisions it gets, at least, probably and at most, and what one of them takes, at
least, probably and at most. `expected` is the sum of what is probable, an estimate and nothing more. `low` is what the
run takes if every decision that is free to choose goes to the cheapest arm that may have it and is answered at its
least; `high` if it goes to the dearest and takes its most. So [low, high] is no confidence interval: it holds whatever
routers choose, and `high` is a hard bound where each `most` is the worst case of all the calls of a decision.
Invariant: each unit has ends of its own, for the arm that is cheapest in USD need not be the one with fewest tokens.
Left out: what a decision may call, and how long answers were before; that is the caller's to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from krins.domain import Usage
from krins.models.ledger import NOTHING, UNITS, Amount, Unit
from krins.models.spec import ModelSpec


class Estimate(NamedTuple):
    """A number of decisions."""

    least: int
    expected: int
    most: int


@dataclass(frozen=True, slots=True)
class ArmForecast:
    """What is known of one arm beforehand."""

    name: str
    decisions: Estimate
    """`least`: those that it gets whatever routers choose; `most`: those that it would get if all chose it."""
    least: Amount
    """What one decision takes at least: nothing, where an answer may come out of the cache."""
    expected: Amount
    most: Amount
    is_priced: bool = True
    """False: `usd` is unknown and stands at 0."""


class Forecast(NamedTuple):
    low: Amount
    expected: Amount
    high: Amount
    unpriced: tuple[str, ...]
    """Arms that may be asked and have no price: what they cost comes on top."""


def forecast(arms: Sequence[ArmForecast], decisions: Estimate) -> Forecast:
    """What `decisions`, all arms' together, take.

    `expected` is summed over arms; of `decisions` only the ends are used.
    """
    expected = NOTHING
    for arm in arms:
        expected += arm.expected.times(arm.decisions.expected)
    low = _ends({arm: arm.least for arm in arms}, decisions.least, is_dearest_first=False)
    high = _ends({arm: arm.most for arm in arms}, decisions.most, is_dearest_first=True)
    unpriced = tuple(arm.name for arm in arms if not arm.is_priced and arm.decisions.most)
    return Forecast(low, expected, high, unpriced)


def call_amount(spec: ModelSpec, input_tokens: int, output_tokens: int, now_seconds: float) -> Amount:
    """One call of that many tokens, none of them cached; `usd` is 0 for a model without a price."""
    usage = Usage(input_tokens, output_tokens)
    usd = NOTHING.usd if spec.price is None else spec.price.cost_usd(usage, now_seconds)
    return Amount(usd, usage.tokens, 1)


def _ends(costs: dict[ArmForecast, Amount], n_decisions: int, is_dearest_first: bool) -> Amount:
    usd, tokens, calls = (_end(costs, n_decisions, unit, is_dearest_first) for unit in UNITS)
    return Amount(usd.usd, tokens.tokens, calls.calls)


def _end(costs: dict[ArmForecast, Amount], n_decisions: int, unit: Unit, is_dearest_first: bool) -> Amount:
    """Each arm takes what it must, then they fill up with the rest, in the order of their cost in `unit`."""
    total = NOTHING
    n_free = n_decisions - sum(arm.decisions.least for arm in costs)
    for arm in sorted(costs, key=lambda arm: costs[arm].of(unit), reverse=is_dearest_first):
        n_more = min(max(n_free, 0), arm.decisions.most - arm.decisions.least)
        n_free -= n_more
        total += costs[arm].times(arm.decisions.least + n_more)
    return total
