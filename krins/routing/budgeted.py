"""Budgeted: the most quality for a mean cost a task, by a price on money that follows the account.

The account is what was spent, and is expected of choices that are still out, less the allowance of the tasks decided so
far. Dual gradient descent on the budget would move the price of money by each entry of the account, which makes the
price a function of the account alone. So that function is chosen directly: an account that stays within bounds is a
mean cost that reaches the allowance like 1/T, for every T, and no horizon need be known.

Invariants: the price is never negative; nothing is drawn, so that every choice has probability 1 and a log supports no
other policy (`floor` gives it support); time is counted in decisions. Prices may change, qualities are taken to stay.
Left out: a hard limit, which is the ledger's (`krins.models.ledger`); features of the task.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from krins.interfaces import Choice, Context, Feedback, FloatArray, IntArray
from krins.routing.billed import billed
from krins.routing.tally import one_hot, state_shape

_STEEPEST = 50.0
"""Exponents are cut off here, lest they overflow: e^50 times the price of balance is more than any quality is worth."""
_FREE = 1e-9
"""Share of the allowance below which a cost is not told from nothing."""


class BudgetState(NamedTuple):
    """What was learnt and what was paid for it. All have shape (n_replications, n_arms)."""

    counts: FloatArray
    """Outcomes learnt."""
    quality: FloatArray
    """Sum of their qualities."""
    spent_usd: FloatArray
    """Sum of their costs, of which nothing is forgotten."""
    cost_weight: FloatArray
    """How many calls the estimate of the cost is worth."""
    cost_usd: FloatArray
    """Sum of the costs, each with the weight that it still has."""


class _Balance(NamedTuple):
    """The two arms whose mixture spends the allowance with the most quality. Shapes are (n_replications,)."""

    binds: FloatArray
    """1 where the best arm costs more than the allowance, else 0: then the two are the best one and the next."""
    price: FloatArray
    """Quality per USD between the two: at this price of money both are worth the same. 0 where one arm is all."""
    middle_usd: FloatArray
    """Mean of their costs."""
    step_usd: FloatArray
    """Difference of their costs, positive."""


@dataclass(frozen=True, slots=True)
class Budgeted:
    """The arm with the largest optimistic quality - price of money * expected cost, for `usd_per_task` on average.

    The primal-dual scheme of bandits with knapsacks (Badanidiyuru, Kleinberg and Slivkins 2013; Agrawal and Devanur,
    Bandits with concave rewards and convex knapsacks, 2014, section 4), in which the price of the budget is learnt by
    online descent. A fixed step is too long where one call costs a hundred allowances and too short where arms hardly
    differ, so the price here is p * exp(x), where p is the dual price of the linear program over the estimates, and x
    the account in units of `slack` steps between the two arms that the program mixes. x counts from the middle of the
    step, so the account swings around zero; at x < 0 the dearer of the two is chosen, at x > 0 the cheaper, and far
    from balance arms beyond them. Where the budget does not bind, the price is p * (exp(x) - 1), at least 0. Savings
    are not capped: what was not spent may be spent later, for the mean is over all tasks.

    Both estimates are on the bright side by w = exploration * sqrt(ln(1 + t) / (1 + n + pending)): the quality is
    (1 + sum) / (1 + n) + w, and the cost is divided by 1 + w, for an arm that looks too dear by bad luck, or whose cost
    was overrated beforehand, must be tried again. The cost is the mean of the calls of the arm, of which about the last
    `memory` count, and `expected_usd` as one call before all others; the account takes it as it is. No regret bound is
    claimed: those of the papers are for known horizons, prompt outcomes and constant prices. An arm that became cheap
    while nobody used it is not noticed until its quality is in demand. Ties go to the cheaper arm, then to the lower. A
    budget below every arm's cost gets the arm that is known, or still may be, the cheapest; refusing is up to the
    ledger. An outcome that is never observed leaves the account with its task. State: `BudgetState`.

    Args:
        usd_per_task: the allowance.
        exploration: width of the confidence bounds.
        memory: calls of an arm that its expected cost is made from, about.
        slack: how far the account may run off before other arms than the two in balance come in; the larger, the
            nearer to the best mixture and the slower back at the allowance.
        expected_usd: cost of a call of each arm, as far as it is known beforehand, for instance by list prices; by
            default all are taken to cost the allowance, and until their costs are back dear arms are tried like others.

    Raises:
        ValueError: a hyper-parameter is out of range; from `init`, expected_usd does not have one cost for each arm;
            from `update`, a quality or cost is missing or out of range.
    """

    usd_per_task: float
    exploration: float = 0.5
    memory: float = 50.0
    slack: float = 30.0
    expected_usd: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.usd_per_task < math.inf:
            raise ValueError(f"usd_per_task is a positive, finite number, got {self.usd_per_task}")
        if not 0.0 <= self.exploration < math.inf:
            raise ValueError(f"exploration is a finite number of at least 0, got {self.exploration}")
        if not 1.0 < self.memory < math.inf:
            raise ValueError(f"memory is a finite number of calls above 1, got {self.memory}")
        if not 0.0 < self.slack < math.inf:
            raise ValueError(f"slack is a positive, finite number, got {self.slack}")
        if not all(0.0 <= usd < math.inf for usd in self.expected_usd or ()):
            raise ValueError(f"expected_usd holds finite costs of at least 0, got {self.expected_usd}")

    @property
    def params(self) -> Mapping[str, Any]:
        return asdict(self)

    def init(self, n_arms: int, n_replications: int) -> BudgetState:
        shape = state_shape(n_arms, n_replications)
        if self.expected_usd is not None and len(self.expected_usd) != n_arms:
            raise ValueError(f"expected_usd has {len(self.expected_usd)} costs for {n_arms} arms")
        expected = self.usd_per_task if self.expected_usd is None else self.expected_usd
        cost_usd = np.broadcast_to(np.asarray(expected, np.float64), shape).copy()
        return BudgetState(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.ones(shape), cost_usd)

    def choose(self, state: BudgetState, context: Context, rng: np.random.Generator) -> Choice:
        arms = self._best(state, context)
        return Choice(arms, np.ones(arms.size))

    def update(self, state: BudgetState, feedback: Feedback) -> BudgetState:
        rows, arms, quality, cost_usd = billed(feedback, "Budgeted")
        counts, qualities, spent, weight, costs = (array.copy() for array in state)
        counts[rows, arms] += 1.0
        qualities[rows, arms] += quality
        spent[rows, arms] += cost_usd
        kept = 1.0 - 1.0 / self.memory
        weight[rows, arms] = kept * weight[rows, arms] + 1.0
        costs[rows, arms] = kept * costs[rows, arms] + cost_usd
        return BudgetState(counts, qualities, spent, weight, costs)

    def propensities(self, state: BudgetState, context: Context) -> FloatArray:
        return one_hot(self._best(state, context), state.counts.shape[1])

    def account_usd(self, state: BudgetState, context: Context) -> FloatArray:
        """Shape (n_replications,): spent and expected of pending choices, less the allowance of all tasks decided."""
        due = state.spent_usd + context.pending * self._cost_usd(state)
        due -= self.usd_per_task * (state.counts + context.pending)
        account: FloatArray = due.sum(axis=1)
        return account

    def price(self, state: BudgetState, context: Context) -> FloatArray:
        """Shape (n_replications,): of money, in quality per USD; never negative."""
        return self._price(state, context, *self._optimistic(state, context))

    def _price(self, state: BudgetState, context: Context, quality: FloatArray, cost_usd: FloatArray) -> FloatArray:
        balance = _balance(quality, cost_usd, self.usd_per_task)
        past_middle = self.account_usd(state, context) + balance.middle_usd - self.usd_per_task
        excess = np.expm1(np.minimum(past_middle / (self.slack * balance.step_usd), _STEEPEST))
        price: FloatArray = balance.price * np.maximum(balance.binds + excess, 0.0)
        return price

    def _best(self, state: BudgetState, context: Context) -> IntArray:
        quality, cost_usd = self._optimistic(state, context)
        worth = quality - self._price(state, context, quality, cost_usd)[:, None] * cost_usd
        tied = worth >= worth.max(axis=1, keepdims=True)
        best: IntArray = np.where(tied, cost_usd, np.inf).argmin(axis=1)
        return best

    def _optimistic(self, state: BudgetState, context: Context) -> tuple[FloatArray, FloatArray]:
        """Quality and cost of each arm, each on the bright side of what was learnt."""
        seen = state.counts + 1.0
        decided = (state.counts + context.pending).sum(axis=1, keepdims=True)
        width = self.exploration * np.sqrt(np.log1p(decided) / (seen + context.pending))
        return (state.quality + 1.0) / seen + width, self._cost_usd(state) / (1.0 + width)

    def _cost_usd(self, state: BudgetState) -> FloatArray:
        cost_usd: FloatArray = np.maximum(state.cost_usd / state.cost_weight, _FREE * self.usd_per_task)
        return cost_usd


def _balance(quality: FloatArray, cost_usd: FloatArray, allowance_usd: float) -> _Balance:
    """The edge of the upper hull of (cost, quality) at the allowance.

    Below the cheapest arm it is the first edge, from the best arm on the last, both from the inside.
    """
    best_usd = np.where(quality >= quality.max(axis=1, keepdims=True), cost_usd, np.inf).min(axis=1)
    least_usd = cost_usd.min(axis=1)
    next_usd = np.where(cost_usd < best_usd[:, None], cost_usd, least_usd[:, None]).max(axis=1)
    at = np.maximum(np.minimum(allowance_usd, (next_usd + best_usd) / 2.0), least_usd)[:, None, None]
    # Axes are (replications, cheaper arm, dearer arm).
    low_usd, high_usd = cost_usd[:, :, None], cost_usd[:, None, :]
    rise = quality[:, None, :] - quality[:, :, None]
    spans = (low_usd <= at) & (at < high_usd) & (rise > 0.0)
    price = np.where(spans, rise, 0.0) / np.where(spans, high_usd - low_usd, 1.0)
    height = np.where(spans, quality[:, :, None] + price * (at - low_usd), -np.inf)
    edge = height.reshape(len(quality), -1).argmax(axis=1)
    rows = np.arange(len(quality))
    low, high = np.divmod(edge, quality.shape[1])
    is_edge = spans[rows, low, high]
    low_usd, high_usd = cost_usd[rows, low], cost_usd[rows, high]
    return _Balance(
        binds=(best_usd > allowance_usd).astype(np.float64),
        price=price[rows, low, high],
        middle_usd=(low_usd + high_usd) / 2.0,
        step_usd=np.where(is_edge, high_usd - low_usd, allowance_usd),
    )
