"""Holm's p-values and simultaneous levels: by hand, and by what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.statistics.multiplicity import holm, simultaneous_level


def test_holm_by_hand() -> None:
    # 4 x 0.01; 3 x 0.015; 2 x 0.02 is below the one before, which stands; 1 x 0.9.
    adjusted = holm({"a": 0.02, "b": 0.01, "c": 0.9, "d": 0.015})
    assert adjusted == pytest.approx({"b": 0.04, "d": 0.045, "a": 0.045, "c": 0.9})
    assert holm({}) == {}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_values_keep_the_order_and_lie_between_the_value_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(dict(enumerate(p_values)))
    for place, p in enumerate(p_values):
        assert p <= adjusted[place] <= min(1.0, len(p_values) * p) + 1e-12
    order = np.argsort(p_values, kind="stable")
    assert (np.diff([adjusted[int(place)] for place in order]) >= 0).all()


def test_simultaneous_level() -> None:
    assert simultaneous_level(0.95, 1) == pytest.approx(0.95)
    assert simultaneous_level(0.95, 10) == pytest.approx(0.995)
