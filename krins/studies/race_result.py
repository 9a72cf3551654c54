"""What a race found, as typed data: what `--json` writes and reports draw.

Invariants: None means that it is not known. Left out: how it was found.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Among = Literal["models", "routers"]
Objective = Literal["quality", "reward"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RaceOptions(_Frozen):
    """What is raced for."""

    objective: Objective = "quality"
    error_probability: float = 0.05
    tolerance: float = 0.0
    """In units of the objective: how much worse than the best the winner may be."""


class Raced(_Frozen):
    """One model or router in the race."""

    name: str
    n_asked: int
    """Units: answers of a model, replications of a router."""
    n_grid: int
    """The same in the full grid: the suite's, or the whole run's."""
    mean: float
    """Of the objective, over those; arms that were asked less are comparable by `lead` alone."""
    lead: float
    """Mean by which the winner is ahead, on what both were asked."""
    least_lead: float | None
    """Its lower limit on the whole grid, at whatever moment one looks; None for the winner. Each has an equal share of
    the error probability; that all hold together is proved for a winner who was named beforehand, not for one who is
    found."""
    paid_usd: float | None
    grid_usd: float | None
    """For all units: known for a recorded suite, else as many times the mean of those that were asked."""
    is_settled: bool
    is_level: bool = False
    """Whether the whole grid was seen, and shows no difference to the winner."""


class RaceResult(_Frozen):
    """Which is the best, how sure that is, and what it took."""

    run_id: str | None
    """Of a live race, to go on with."""
    suite: str
    environment: Literal["recorded", "live"]
    among: Among
    options: RaceOptions
    seed: int
    unit: str
    """What the arms are compared on."""
    winner: str
    is_settled: bool
    racers: list[Raced]
    """The winner first, then by lead."""
    n_answers: int
    """Or replications, that were looked at."""
    n_unanswered: int = 0
    """Attempts among them that had no answer, through no fault of a model: they count as failures."""
    n_grid: int
    """Of the full grid."""
    paid_usd: float | None
    grid_usd: float | None
    is_grid_usd_known: bool
    notes: list[str]

    @property
    def share_of_grid(self) -> float:
        """Of its cost, or where that is unknown of its answers."""
        if self.paid_usd is None or not self.grid_usd:
            return self.n_answers / self.n_grid
        return self.paid_usd / self.grid_usd
