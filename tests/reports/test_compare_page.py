"""The page of a comparison: of a real one, and what it leaves out where nothing is known."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import krins
from krins.reports.compare_page import comparison_page
from krins.reports.page import Page, write_page
from krins.runs.result import RunResult
from krins.studies.compare import compare
from krins.studies.comparison import Comparison
from tests.support.browser import CHROMIUM, look

EVALS = Path(__file__).parents[2] / "evals"
SUITE = f"""
version: 1
name: small
replications: 4
passes: 5
environment: {{kind: recorded, table: {EVALS / "recordings" / "direct.parquet"}}}
reward: {{quality: 1.0, per_usd: 500}}
routers:
  - thompson
  - {{policy: cascade, models: [smollm2-135m, qwen2.5-coder-1.5b], verifier: {{sensitivity: 0.9, specificity: 0.9}}}}
  - random
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, list[RunResult]]:
    home = tmp_path_factory.mktemp("home")
    suite = home / "small.yaml"
    suite.write_text(SUITE)
    results = [krins.run(suite, seed=seed, home=home) for seed in (1, 2)]
    return compare(home, [result.run_id for result in results]), results


@pytest.fixture(scope="module")
def page(compared: tuple[Comparison, list[RunResult]]) -> Page:
    return comparison_page(*compared)


@pytest.fixture(scope="module")
def folder(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(page, tmp_path_factory.mktemp("report"))[0].parent


def headings(page: Page) -> list[str]:
    return [section.heading for section in page.sections]


def test_the_claim_comes_first_and_notes_are_kept(compared: tuple[Comparison, list[RunResult]], page: Page) -> None:
    found, _ = compared
    assert (page.decision, list(page.notes)) == (found.claim, found.notes)
    assert headings(page) == [
        "Cost and quality",
        "Against the frontier, and over orders of the tasks",
        f"Differences to {found.reference.label}",
        "What may be called a saving",
        "The same test at other margins",
        "Learning",
        "How good a verifier must be",
        *(["The same for a saving"] if "The same for a saving" in headings(page) else []),
        "By category",
        "By category: sizes and costs",
        "Reward",
        "Runs",
    ]
    assert all(run.run_id in page.command for run in found.runs)


def test_tables_hold_the_comparisons_numbers(compared: tuple[Comparison, list[RunResult]], folder: Path) -> None:
    found, results = compared
    rows = {
        name: list(csv.DictReader((folder / f"{name}.csv").read_text().splitlines()))
        for name in ("differences", "regret")
    }
    rivals = [router for router in found.routers if router.against_reference is not None]
    assert [row["router"] for row in rows["differences"]] == [router.label for router in rivals]
    for row, router in zip(rows["differences"], rivals, strict=True):
        against = router.against_reference
        assert against is not None
        assert (float(row["quality"]), float(row["quality_low"])) == (against.quality.mean, against.quality.low)
    regrets = [router.regret_vs_best_fixed for result in results for router in result.routers]
    assert [float(row["regret"]) for row in rows["regret"]] == [one.mean for one in regrets if one is not None]


def test_results_may_come_in_any_order(compared: tuple[Comparison, list[RunResult]], page: Page) -> None:
    found, results = compared
    again = comparison_page(found, results[::-1])
    assert [table.rows for table in again.tables] == [table.rows for table in page.tables]


def test_a_cascade_is_called_simulated(page: Page) -> None:
    rows = [row for row in page.tables[0].rows if ">" in str(row["name"])]
    assert [row["kind"] for row in rows] == ["router, SIMULATED"] * 2


def test_without_costs_and_frontier_there_is_no_plane(compared: tuple[Comparison, list[RunResult]]) -> None:
    found, results = compared
    routers = [
        router.model_copy(update={"cost_usd": None, "hull_quality_gain": None, "hull_cost_saving": None})
        for router in found.routers
    ]
    bare = found.model_copy(update={"routers": routers, "frontier": None, "groups": [], "drift": None})
    page = comparison_page(bare, results)
    assert page.sections[0].chart is None
    assert "By category" not in headings(page)
    assert "hull_quality_gain" not in [column.key for column in page.tables[0].columns]


def test_other_margins_have_a_row_for_each_router(compared: tuple[Comparison, list[RunResult]], page: Page) -> None:
    table = next(table for table in page.tables if table.name == "margins")
    labels = [router.label for router in compared[0].routers if router.against_reference is not None]
    assert [row["router"] for row in table.rows] == labels
    assert [column.key for column in table.columns][1:4] == [f"p_adjusted_at_{points}" for points in (1, 2, 5)]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_on_a_desk_no_table_is_cut(folder: Path, tmp_path: Path) -> None:
    widths = "[...document.querySelectorAll('table')].map(e => e.scrollWidth).join()"
    seen = look(folder / "index.html", 1280, tmp_path / "profile", widths)
    places, *others = map(int, seen.values[0].split(","))
    # A cascade's long label, which a desk's page does not break, costs the first table some pixels.
    assert places <= 780 and max(others) <= 760, seen.values[0]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_on_a_phone(folder: Path, tmp_path: Path) -> None:
    widest = "Math.max(...[...document.querySelectorAll('.phone svg')].map(e => +e.getAttribute('width')))"
    seen = look(folder / "index.html", 360, tmp_path / "profile", "document.scrollingElement.scrollWidth", widest)
    assert (seen.complaints, seen.requests) == ([], [])
    assert seen.values[0] == 360 and seen.values[1] <= 340
