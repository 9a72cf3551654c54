"""Figures as files: what is drawn, and that a page loads nothing from elsewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from krins.errors import StorageFault
from krins.reports.axes import clipped, fit_axes
from krins.reports.cost_quality import cost_quality
from krins.reports.figures import draw
from krins.reports.learning_curves import learning_curves
from krins.runs.result import RunResult
from tests.reports.results import baseline, baselines, curve, figure, result, router, unknown_router

DEMO = result(
    router("thompson"),
    router("random", cost_usd=figure(0.05, 0.01), quality=figure(0.75, 0.1), curve=curve(30.0)),
    router("</script><b>x", cost_usd=figure(0.5, 0.1), quality=figure(0.6, 0.1), curve=curve(-3.0)),
)


def rows_of(chart: Any) -> list[dict[str, Any]]:
    """Every row of data that a chart carries."""
    return [row for dataset in chart.to_dict()["datasets"].values() for row in dataset]


def test_each_figure_is_written_as_picture_and_page(tmp_path: Path) -> None:
    paths = draw(DEMO, tmp_path / "new" / "figures")
    assert [path.name for path in paths] == [
        "learning_curves.png",
        "learning_curves.html",
        "cost_quality.png",
        "cost_quality.html",
    ]
    assert sorted(path.name for path in (tmp_path / "new" / "figures").iterdir()) == sorted(p.name for p in paths)
    for picture in paths[::2]:
        assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert picture.stat().st_size > 20_000
    for page in paths[1::2]:
        check_page(page.read_text(encoding="utf-8"), DEMO)


class Elements(HTMLParser):
    """The elements of a page, as a browser parses it: what stands inside a script is no element."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def check_page(page: str, shown: RunResult) -> None:
    """Sealed by policy, no element that loads anything, and data that end neither their script nor their string."""
    assert "default-src 'none'" in page
    elements = Elements()
    elements.feed(page)
    assert elements.tags.count("script") == 2
    assert not elements.attributes & {"src", "href", "data", "srcset"}
    assert "@import" not in page
    assert f"<title>{shown.run_id}: " in page
    specification = json.loads(page.split("const spec = ")[1].split(";\n")[0])
    names = {row["router"] for rows in specification["datasets"].values() for row in rows if "router" in row}
    names |= {row["name"] for rows in specification["datasets"].values() for row in rows if "name" in row}
    assert names >= {router.router for router in shown.routers}


def test_without_costs_there_is_one_figure(tmp_path: Path) -> None:
    paths = draw(result(unknown_router("a"), baselines=None), tmp_path)
    assert [path.name for path in paths] == ["learning_curves.png", "learning_curves.html"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFault, match="cannot be made"):
        draw(DEMO, tmp_path / "file" / "figures")


def test_a_router_has_one_colour_in_all_figures() -> None:
    specification = learning_curves(DEMO).to_dict()
    scales = re.findall(r'"domain": (\["thompson".*?\]), "range": (\[.*?\])', json.dumps(specification))
    names, colours = map(json.loads, next(scale for scale in scales if "#" in scale[1]))
    chart = cost_quality(DEMO)
    assert chart is not None
    marks = {row["name"]: row["colour"] for row in rows_of(chart) if "cost_text" in row}
    assert {name: marks[name] for name in names} == dict(zip(names, colours, strict=True))
    assert len(set(colours)) == 3


def test_curves_begin_at_no_regret_and_carry_their_band() -> None:
    rows = [row for row in rows_of(learning_curves(DEMO)) if row.get("router") == "thompson"]
    assert (rows[0]["step"], rows[0]["value"]) == (0, 0.0)
    assert [rows[-1][key] for key in ("step", "value", "low", "high")] == pytest.approx([40, 12.0, 9.6, 14.4])
    assert "central 95%" in json.dumps(learning_curves(DEMO).to_dict()["title"])


def test_one_replication_has_no_band() -> None:
    one = result(router("a"), n_replications=1)
    assert all(row["low"] is None for row in rows_of(learning_curves(one)) if "low" in row)
    assert "Band" not in json.dumps(learning_curves(one).to_dict()["title"])


def test_without_regret_the_curve_is_of_quality() -> None:
    chart = learning_curves(result(unknown_router("a"), baselines=None))
    assert rows_of(chart)[-1] is not None
    assert [row["value"] for row in rows_of(chart) if row.get("step") == 40] == [0.7]
    assert "mean quality so far" in json.dumps(chart.to_dict())


def test_the_hull_is_straight_in_dollars() -> None:
    chart = cost_quality(DEMO)
    assert chart is not None
    line = [row for row in rows_of(chart) if row.keys() == {"cost", "quality"}]
    assert line[0] == {"cost": 0.0123, "quality": 0.7}
    assert line[-1] == pytest.approx({"cost": 0.09, "quality": 0.8})
    assert line[20] == pytest.approx({"cost": (0.0123 + 0.09) / 2, "quality": 0.75})


def test_oracles_that_agree_are_one() -> None:
    same = baselines().model_copy(update={"oracle": baseline(0.91, 0.02)})
    names = {row.get("name") for row in rows_of(cost_quality(result(router("a"), baselines=same)))}
    assert "oracle" in names and "oracle by reward" not in names


def test_cost_is_logarithmic_beyond_a_decade() -> None:
    narrow = [(figure(0.1, 0.01), figure(0.5)), (figure(0.9), figure(0.6))]
    wide = [(figure(0.05, 0.2), figure(0.5, 0.6)), (figure(0.9), figure(0.6))]
    assert not fit_axes(narrow[:1], narrow).is_log
    axes = fit_axes(wide[:1], wide)
    assert axes.is_log and axes.cost[0] > 0
    assert axes.quality == (0.0, 1.0)
    assert [axes.x(axes.cost[0]), axes.x(axes.cost[1]), axes.y(1.0), axes.y(0.0)] == pytest.approx([0, 640, 0, 400])
    assert axes.cost_ticks() == [0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert clipped(wide[0][0], axes.cost) == pytest.approx((axes.cost[0], 0.25))


def test_free_models_have_a_linear_axis() -> None:
    free = [(figure(0.0, 0.0), figure(0.5, 0.1))]
    axes = fit_axes(free, free)
    assert (axes.is_log, axes.cost) == (False, (0.0, 0.1))
