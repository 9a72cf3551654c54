"""The pages of a race and of an off-policy answer: what they claim, and that the numbers are the result's own."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from krins.reports.page import Page, write_page
from krins.reports.page_charts import DESK_WIDTH, PHONE_WIDTH, draw_charts
from krins.reports.page_html import as_html
from krins.reports.race_page import race_page
from krins.reports.what_if_page import what_if_page
from krins.statistics.off_policy import Estimate
from krins.statistics.overlap import Overlap
from krins.studies.race_result import Raced, RaceOptions, RaceResult
from krins.studies.what_if import Answer, WhatIf
from tests.support.browser import CHROMIUM, look

RACE = RaceResult(
    run_id=None,
    suite="s",
    environment="recorded",
    among="models",
    options=RaceOptions(),
    seed=1,
    unit="answers",
    winner="a<b>",
    is_settled=False,
    racers=[
        Raced(
            name="a<b>", n_asked=30, n_grid=40, mean=0.9, lead=0.0, least_lead=None, paid_usd=3.0, grid_usd=4.0,
            is_settled=True,
        ),
        Raced(
            name="c", n_asked=30, n_grid=40, mean=0.8, lead=0.1, least_lead=-0.05, paid_usd=0.3, grid_usd=0.4,
            is_settled=False,
        ),
    ],
    n_answers=60,
    n_grid=80,
    paid_usd=3.3,
    grid_usd=4.4,
    is_grid_usd_known=True,
    notes=["a note"],
)  # fmt: skip


def what_if(*estimates: Estimate) -> WhatIf:
    seen = Overlap(100, 30.4, 9.5, 0.2, 1.05, 0.05, 0.0, 0.1)
    return WhatIf("r", "random", "t", 0, 100, 0, 0, 7, False, False, seen, Answer(0.5, estimates, 0.72), None)


def test_a_race_that_is_open_claims_nothing(tmp_path: Path) -> None:
    page = race_page(RACE)
    assert page.decision == (
        "Not settled: a<b> is ahead, and c may still be better. 60 of 80 answers of the full grid: $3.30 of $4.40, 75%."
    )
    write_page(page, tmp_path)
    html = (tmp_path / "index.html").read_text()
    assert "a&lt;b&gt;" in html
    assert "a<b>" not in html
    with (tmp_path / "race.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["n_asked"], row["state"]) for row in rows] == [
        ("a<b>", "30", "ahead"),
        ("c", "30", "open"),
    ]
    assert float(rows[1]["least_lead"]) == -0.05


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (Estimate("SNDR", 0.7, 0.6, 0.8, 0.05, 60.0, 50, True), "t would have been better than random: quality 0.700"),
        (Estimate("SNDR", 0.3, 0.2, 0.4, 0.05, 60.0, 50, True), "t would have been worse than random"),
        (Estimate("SNDR", 0.6, 0.4, 0.8, 0.05, 60.0, 50, True), "t would not be told apart from random"),
        (Estimate("SNDR", 0.7, 0.6, 0.8, 0.05, 60.0, 50, False), "too small, or too one-sided"),
        (Estimate("SNDR", 0.7, None, None, None, 60.0, 50, True), "too small, or too one-sided"),
    ],
)
def test_an_off_policy_page_claims_what_its_interval_bears(estimate: Estimate, said: str) -> None:
    assert said in what_if_page(what_if(estimate)).decision


def test_an_estimator_is_not_picked_for_its_answer(tmp_path: Path) -> None:
    liked = Estimate("IPS", 0.9, 0.85, 0.95, 0.02, 60.0, 50, True)
    preferred = Estimate("SNDR", 0.6, 0.4, 0.8, 0.05, 60.0, 50, True)
    page = what_if_page(what_if(liked, preferred))
    assert "by SNDR" in page.decision
    write_page(page, tmp_path)
    assert (tmp_path / "quality.csv").read_text().splitlines()[2].startswith("IPS,0.9,0.85,0.95,")


ALIKE = [
    "fixed:qwen2.5-coder-32b-instruct",
    "fixed:qwen2.5-coder-32b-instruct-awq",
    "DeepSeek-V3.2-Reasoner",
    'a "quoted" <name>',
    "WIZARDCODER-PYTHON-34B-GGUF",
]
CUT = """[...document.querySelectorAll('svg text')].filter(text => {
    const name = text.getBoundingClientRect(), picture = text.closest('svg').getBoundingClientRect();
    return name.width && (name.left < picture.left - 0.5 || name.right > picture.right + 0.5);
}).map(text => text.textContent)"""


@pytest.fixture(scope="module")
def page_of_long_names() -> Page:
    racers = [RACE.racers[i > 0].model_copy(update={"name": name}) for i, name in enumerate(ALIKE)]
    race = race_page(RACE.model_copy(update={"racers": racers, "winner": ALIKE[0]}))
    estimates = [Estimate(name, 0.7, 0.6, 0.8, 0.05, 60.0, 50, True) for name in ALIKE]
    return replace(race, sections=[*race.sections, *what_if_page(what_if(*estimates)).sections])


def test_names_of_rows_are_whole_at_any_width(page_of_long_names: Page) -> None:
    for drawn in draw_charts(page_of_long_names):
        assert drawn is not None
        for svg, width in ((drawn.desk_svg, DESK_WIDTH), (drawn.phone_svg, PHONE_WIDTH)):
            picture = ElementTree.fromstring(svg)
            assert float(picture.attrib["width"]) <= width
            texts = {"".join(text.itertext()).replace(" ", "") for text in picture.iter("text")}
            assert {name.replace(" ", "") for name in ALIKE} <= texts
        assert len(list(picture.iter("tspan"))) > len(ALIKE)  # a phone's names are wrapped


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [360, 1280])
def test_a_browser_cuts_no_text_of_a_chart(page_of_long_names: Page, width: int, tmp_path: Path) -> None:
    """Its font may be wider than the one that the margins were measured with: Verdana, or DejaVu Sans."""
    path = tmp_path / "index.html"
    path.write_text(as_html(page_of_long_names, draw_charts(page_of_long_names)))
    assert look(path, width, tmp_path / "profile", CUT).values == [[]]
