"""Digits: what a number bears, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.reports.notation import (
    AMOUNT,
    PERCENT,
    QUALITY,
    QUALITY_DIFFERENCE,
    USD,
    Notation,
    Written,
    write_number,
    write_percent,
    write_place,
    write_seconds,
    write_usd,
)
from krins.runs.result import Figure
from tests.reports.results import baseline, figure


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0641, "$0.0641"),
        (1.93e-6, "$0.00000193"),
        (0.099961, "$0.100"),
        (0.982, "$0.982"),
        (12.3456, "$12.3"),
        (1234.5, "$1234"),
        (-0.00123, "-$0.00123"),
        (0.0, "$0"),
    ],
)
def test_dollars_have_three_significant_digits(usd: float, text: str) -> None:
    assert write_usd(usd) == text


def test_an_interval_has_the_decimals_of_its_mean_and_no_unit() -> None:
    written = USD.write(Figure(mean=0.0641, low=0.00512, high=0.12345, replication_low=0.06, replication_high=0.07))
    assert written == Written("$0.0641", "[0.0051, 0.1235]", "0.0600 to 0.0700")


def test_differences_carry_their_sign_and_nothing_is_minus_zero() -> None:
    assert QUALITY_DIFFERENCE.write(figure(0.0121)).mean == "+0.012"
    assert QUALITY_DIFFERENCE.write(figure(-0.0121)).mean == "-0.012"
    assert QUALITY_DIFFERENCE.write(figure(-1e-17, 1e-16)) == Written("0.000", "[0.000, 0.000]", None)
    assert PERCENT.write(figure(-3e-16)).mean == "0%"


@pytest.mark.parametrize(
    ("share", "half_width", "text"),
    [
        (0.277, 0.19, "28%"),
        (0.1057, 0.0018, "10.6%"),
        (0.02446, 0.0009, "2.45%"),
        (-6.106, 1.7, "-611%"),
        (0.996, 0.015, "99.6%"),
        (0.489, None, "49%"),
        (0.0204, None, "2.0%"),
        (0.9994, None, "99.94%"),
        (1.0, None, "100%"),
        (0.0, None, "0%"),
    ],
)
def test_percent_is_as_fine_as_its_interval(share: float, half_width: float | None, text: str) -> None:
    assert PERCENT.write(figure(share, half_width)).mean == text


def test_a_small_share_is_not_rounded_to_none() -> None:
    assert write_percent(3 / 105_100) == "<0.01%"


def test_an_amount_near_zero_is_no_finer_than_its_interval() -> None:
    assert AMOUNT.write(Figure(mean=0.3, low=-20.0, high=20.6)) == Written("0.3", "[-20.0, 20.6]", None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (125.2, "2 min 5 s"), (7325, "2 h 2 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert write_seconds(seconds) == text


def test_counted_nouns() -> None:
    assert [write_number(1, noun) for noun in ("task", "pass")] == ["1 task", "1 pass"]
    assert [write_number(2000, noun) for noun in ("task", "pass", "repository")] == [
        "2,000 tasks",
        "2,000 passes",
        "2,000 repositories",
    ]


def test_a_place_names_its_cost_where_that_is_known() -> None:
    assert write_place(baseline(0.625, 0.0633, "small")) == "small 0.625 at $0.0633"
    assert write_place(baseline(0.625, None, "small")) == "small 0.625"


@given(st.floats(-1e6, 1e6), st.sampled_from([QUALITY, QUALITY_DIFFERENCE, USD, AMOUNT, PERCENT]))
def test_what_is_written_reads_back_to_within_its_last_digit(value: float, notation: Notation) -> None:
    text = notation.write(Figure(mean=value)).mean
    digits = text.replace("$", "").replace("%", "")
    decimals = len(digits.partition(".")[2])
    assert abs(float(digits) - value * notation.scale) <= 0.5 * 10.0**-decimals + 1e-9 * abs(value * notation.scale)
    assert not digits.startswith("-") or float(digits) < 0
