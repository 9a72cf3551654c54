"""What the page is told, when all goes well and when it does not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.clock import FakeClock
from serve.page import figures
from serve.page.data import PageData, gather
from serve.page.page import StatusPage, render
from serve.page.saving import SavingReport
from serve.web import Refusal
from tests.serve.page_server import ARMS, SAVING, STATE, Learner, anybody, sources

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def _gather(learner: Learner, patience_seconds: float = 2.0) -> PageData:
    return asyncio.run(gather(sources(learner), patience_seconds))


def test_everybody_is_asked() -> None:
    data = _gather(Learner())
    assert not data.missing
    assert data.serving and (data.serving.router, data.serving.version) == ("models:/quickstart/3", 1234)
    assert (data.all_decisions, data.spend_usd) == (1000, Decimal("3.2142"))
    assert [row.state for row in data.breakers] == ["open", "closed"], "trouble first"
    assert data.queue == {"queued": 3, "running": 1, "dead": 0}
    times = [row.at_seconds for row in data.decisions]
    assert len(times) == 20
    assert times == sorted(times, reverse=True)
    assert PageData.model_validate_json(data.model_dump_json()) == data


def test_what_is_out_of_reach_is_said_and_hides_nothing_else() -> None:
    learner = Learner(arms={"rows": []}, decisions=None)
    del learner.answers["state"]
    data = _gather(learner, patience_seconds=0.01)
    assert set(data.missing) == {
        "serving: the learner is out of reach",
        "arms: the answer is not one that this page understands",
        "decisions: no answer within 0.01 s",
    }
    assert data.health and data.breakers
    assert "the learner is out of reach" in render("body.html", data)


def test_a_failing_check_or_queue_is_said_too() -> None:
    async def fails() -> Any:
        raise Refusal(503, "keeper_unreachable", "the keeper is out of reach")

    data = asyncio.run(gather(replace(sources(Learner()), queue=fails, health=fails)))
    assert len([line for line in data.missing if line.endswith("the keeper is out of reach")]) == 2


@given(JSON, JSON, JSON)
def test_no_answer_of_the_learner_breaks_the_page(state: Any, arms: Any, saving: Any) -> None:
    data = _page_twice(Learner(state=state or {}, arms={"arms": arms}, report={"saving": saving}))[1]
    assert "Models" in render("body.html", data)


def test_before_the_first_decision_there_is_a_page() -> None:
    data = _gather(Learner(state=STATE | {"version": 0}, arms={"arms": []}, decisions={"decisions": []}))
    assert not data.missing
    assert "None yet." in render("body.html", data)


def _page_twice(learner: Learner) -> tuple[PageData, PageData]:
    """At first, and when what was begun then is done."""

    async def see() -> tuple[PageData, PageData]:
        clock = FakeClock(1.8e9)
        page = StatusPage(sources(learner, clock), anybody)
        first = await page.data()
        clock.advance(1.0)
        await asyncio.sleep(0)
        return first, await page.data()

    return asyncio.run(see())


def test_nobody_waits_for_the_saving() -> None:
    first, then = _page_twice(Learner())
    assert (first.headline, first.saving) == ("What the router saves is being worked out.", None)
    assert then.saving and then.saving.is_claimed
    assert then.headline == SAVING["words"]
    html = render("body.html", then)
    assert "31% [25%, 37%]" in html
    assert "not claimed" not in html


def test_a_saving_that_is_not_claimed_says_so() -> None:
    words = "No saving is claimed: 12 outcomes are too few."
    unclaimed = SAVING | {"is_claimed": False, "words": words, "ratio": None, "interval": None}
    html = render("body.html", _page_twice(Learner(report={"saving": unclaimed}))[1])
    assert words in html
    assert "-, not claimed" in html


@pytest.mark.parametrize("report", [{}, {"saving": None}, {"saving": {"ratio": "much"}}])
def test_a_report_that_says_nothing_of_a_saving(report: Any) -> None:
    assert _page_twice(Learner(report=report))[1].headline.endswith("the report does not say.")


def test_a_report_that_is_refused_says_why() -> None:
    learner = Learner()
    del learner.answers["report"]
    assert _page_twice(learner)[1].headline.endswith("not known: the learner is out of reach.")


def test_the_report_is_asked_for_once_in_five_minutes() -> None:
    learner, clock = Learner(), FakeClock(1.8e9)
    report = SavingReport(learner, clock)

    async def look_long() -> None:
        for _ in range(601):
            report.latest()
            await asyncio.sleep(0)
            clock.advance(1.0)

    asyncio.run(look_long())
    assert learner.asked == 3


def test_the_learner_is_asked_once_a_second_however_many_look() -> None:
    learner, clock = Learner(), FakeClock(1.8e9)
    page = StatusPage(sources(learner, clock), anybody)

    async def look_often() -> None:
        await asyncio.gather(*(page.data() for _ in range(50)))
        await asyncio.sleep(0)
        assert learner.asked == 4, "three questions and the report"
        clock.advance(1.0)
        await asyncio.gather(*(page.data() for _ in range(50)))
        assert learner.asked == 7

    asyncio.run(look_often())


def test_the_longest_page_is_below_120_kb_and_an_ordinary_one_below_30() -> None:
    long = "<&\"'>" * 1000
    arm = ARMS["arms"][0] | {"arm": long, "decisions": 10**12, "outcomes": 10**12}
    decision = {"at_seconds": 1.8e9, "arm": long, "probability": 0.123456, "reason": long}
    learner = Learner(
        state=STATE | {"router": long}, arms={"arms": [arm] * 500}, decisions={"decisions": [decision] * 500}
    )
    html = render("page.html", asyncio.run(gather(sources(learner, name=long))))
    assert len(html.encode()) < 120_000, "every character is one that is escaped"
    ordinary = render("page.html", _gather(Learner()))
    assert len(ordinary.encode()) < 30_000


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("0", "$0.00"), ("0.0042", "$0.0042"), ("0.00001234", "$0.000012"), ("3.2142", "$3.21"),
     ("1234567.891", "$1,234,567.89"), ("-0.5", "-$0.50"), ("0.1", "$0.10"), ("1E-3", "$0.0010")],
)  # fmt: skip
def test_money(amount: str, expected: str) -> None:
    assert figures.usd(Decimal(amount)) == expected


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(None, "-"), (0.0, "0%"), (0.025, "2.5%"), (0.0994, "9.9%"), (0.0996, "10%"), (1.0, "100%"), (0.0001, "0.0%")],
)
def test_shares(ratio: float | None, expected: str) -> None:
    assert figures.percent(ratio) == expected


def test_estimates_show_their_interval_where_they_have_one() -> None:
    assert figures.estimate(0.72, (0.69, 0.75)) == "0.720 [0.690, 0.750]"
    assert figures.estimate(0.1, None) == "0.100"
    assert figures.estimate(None, None) == "-"
    assert figures.percent_estimate(-0.05, (-0.1, 0.0)) == "-5% [-10%, 0%]"
