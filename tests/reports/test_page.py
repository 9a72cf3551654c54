"""Report pages: the same numbers in HTML, PDF and CSV, nothing loaded, nothing run, legible on a phone."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.errors import StorageFault
from krins.reports.page import DASH, Cell, Column, Page, Section, Table, write_page
from krins.reports.page_charts import DESK_WIDTH, PHONE_WIDTH, Drawn, draw_charts
from krins.reports.page_csv import as_csv
from krins.reports.page_html import as_html
from krins.reports.page_pdf import as_pdf
from krins.reports.picture import Row, inline
from tests.support.browser import CHROMIUM, look

EVIL = "<b>x</b>&\"'</text></svg></style><script>alert(1)</script>{nb}{{ 7 * 7 }}"
LONG = "epsilon-greedy(epsilon=0.1, discount=0.999, prior=(weight=20, scores=published))"


def chart(width: int) -> Any:
    import altair as alt

    rows: list[Row] = [
        {"router": name, "step": step, "regret": float(i * step)}
        for i, name in enumerate((EVIL, LONG), 1)
        for step in range(5)
    ]
    lines = alt.Chart(inline(rows)).mark_line(clip=True).encode(x="step:Q", y="regret:Q", color="router:N")
    return lines.properties(width=width, height=200)


COLUMNS = [
    Column("router", "router"),
    Column("quality", "quality", "share", ("low", "high")),
    Column("difference", "points", "points"),
    Column("cost", "USD a task", "usd"),
    Column("n", "tasks", "count"),
    Column("p", "p", "number"),
    Column("saving", "saving"),
    *(Column(f"extra_{i}", f"another heading {i}", "number") for i in range(8)),
]
ROWS: list[dict[str, Cell]] = [
    {"router": EVIL, "quality": 0.71234, "low": 0.7, "high": 0.8, "difference": -0.0123, "cost": 0.06412, "n": 1051},
    {"router": LONG, "quality": None, "p": 1e-30, "saving": True, "extra_7": 0.1 + 0.2},
]
PAGE = Page(
    f"Page {EVIL}",
    f"Serve {EVIL}: it is better.",
    [Section("Learning", ["A paragraph & more."], chart), Section("Table", [], chart, Table("routers", COLUMNS, ROWS))],
    [f"A note on {EVIL}."],
    "krins-eval compare a --report out",
)
PDFTOTEXT = shutil.which("pdftotext")
PLAIN = Page("T", "D", [Section("S", [], None, Table("t", COLUMNS[:2], ROWS))])


@pytest.fixture(scope="module")
def drawn() -> list[Drawn | None]:
    return draw_charts(PAGE)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_page(PAGE, tmp_path_factory.mktemp("made") / "new" / "report")


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("share", 0.1234, ".123"),
        ("share", -0.1234, "-.123"),
        ("share", 1.0, "1.000"),
        ("share", -0.0001, ".000"),
        ("points", 0.0123, "+1.2"),
        ("points", -0.0123, "-1.2"),
        ("points", -0.0001, "0.0"),
        ("usd", 0.06412, "$0.0641"),
        ("count", 1051, "1,051"),
        ("number", 0.04123, "0.0412"),
        ("number", 4.1e-9, "4.10e-09"),
        ("number", 0.0, "0"),
        ("text", True, "yes"),
        ("text", "", DASH),
        ("share", None, DASH),
        ("number", float("nan"), DASH),
        ("usd", float("inf"), DASH),
    ],
)
def test_cells_by_kind(kind: Any, value: Cell, written: str) -> None:
    assert Column("x", "x", kind).write({"x": value}) == written


def test_an_interval_stands_behind_its_value_with_the_same_decimals() -> None:
    column = Column("x", "x", "usd", ("low", "high"))
    assert column.write({"x": 0.06412, "low": 0.05, "high": 0.1}) == "$0.0641 [0.0500, 0.1000]"
    assert column.write({"x": 0.06412, "low": None, "high": 0.1}) == "$0.0641"
    assert COLUMNS[1].write(ROWS[0]) == ".712 [.700, .800]"


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False)), max_size=5)
)
def test_csv_gives_every_value_back(values: list[Cell]) -> None:
    text = as_csv(Table("t", [Column("a", "A"), Column("n", "N", "count")], [{"a": v, "n": 1} for v in values]))
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    assert head == ["a", "n"]
    shown = [row[0] for row in rows]
    assert [float(s) if isinstance(v, float) else s or None for s, v in zip(shown, values, strict=True)] == values


class Elements(HTMLParser):
    """A page as a browser parses it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, name: str) -> list[str | None]:
        return [value for key, value in self.attributes if key == name]


def test_the_page_loads_and_runs_nothing(drawn: list[Drawn | None]) -> None:
    page = as_html(PAGE, drawn)
    found = Elements(page)
    assert not {"script", "img", "iframe", "object", "embed", "b", "image", "foreignobject"} & set(found.tags)
    assert not {name for name, _ in found.attributes if name.startswith("on") or name in ("src", "style", "xlink:href")}
    assert set(found.of("href")) == {"data:,", "routers.csv", "report.pdf"}
    policy = next(value for value in found.of("content") if value and "default-src" in value)
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    assert found.text.count(EVIL) >= 7  # title twice, decision, note, row, and each chart's legend is cut
    assert "49" not in found.text


def test_the_page_can_be_read_aloud_and_navigated(drawn: list[Drawn | None]) -> None:
    found = Elements(as_html(PAGE, drawn))
    assert [tag for tag in found.tags if re.fullmatch("h[1-6]", tag)] == ["h1", *["h2"] * 4]
    assert "en" in found.of("lang")
    ids = [value for value in found.of("id") if value]
    assert len(ids) == len(set(ids))
    assert set(found.of("aria-labelledby")) <= set(ids)
    assert found.of("role").count("img") == 4  # two widths of two charts
    assert found.of("scope").count("col") == len(COLUMNS) and found.of("scope").count("row") == len(ROWS)


def test_charts_fit_both_widths(drawn: list[Drawn | None]) -> None:
    for pictures in drawn:
        assert pictures is not None
        for svg, width in ((pictures.desk_svg, DESK_WIDTH), (pictures.phone_svg, PHONE_WIDTH)):
            found = re.match(r'<svg [^>]*width="(\d+)"', svg)
            assert found is not None
            assert width - 20 <= int(found.group(1)) <= width


def test_the_pdf_is_whole(drawn: list[Drawn | None]) -> None:
    content = as_pdf(PAGE, drawn)
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    assert b"/Subtype /Image" in content and b"/ToUnicode" in content and b"CreationDate (D:1970" in content


@pytest.mark.skipif(PDFTOTEXT is None, reason="no pdftotext on this machine")
def test_the_pdf_holds_the_same_words_and_numbers(drawn: list[Drawn | None], tmp_path: Path) -> None:
    assert PDFTOTEXT is not None
    (tmp_path / "report.pdf").write_bytes(as_pdf(PAGE, drawn))
    command = [PDFTOTEXT, "-layout", str(tmp_path / "report.pdf"), "-"]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    pages = text.split("\f")[:-1]
    assert all(page.rstrip().endswith(str(number)) for number, page in enumerate(pages, 1))
    for shown in (".712 [.700, .800]", "$0.0641", "1,051", "-1.2", "1.00e-30", "A paragraph & more.", "{{ 7 * 7 }}"):
        assert shown in text
    assert text.count("discount=0.999") > 1  # columns that the paper has no room for come with their rows' names


def test_the_same_page_gives_the_same_bytes(written: list[Path], tmp_path: Path) -> None:
    assert [path.name for path in written] == ["index.html", "report.pdf", "routers.csv"]
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in write_page(PAGE, tmp_path)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)


def test_csv_holds_raw_numbers_under_keys(written: list[Path]) -> None:
    with written[2].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["router", "quality", "low", "high"]
    assert (rows[0]["router"], float(rows[0]["quality"]), rows[0]["cost"]) == (EVIL, 0.71234, "0.06412")
    assert (rows[1]["quality"], rows[1]["saving"], float(rows[1]["extra_7"])) == ("", "true", 0.1 + 0.2)


def test_a_page_without_rows_or_sections(tmp_path: Path) -> None:
    write_page(Page("T", "D", []), tmp_path / "none")
    write_page(Page("T", "D", [Section("S", [], None, Table("t", COLUMNS, []))]), tmp_path / "empty")
    assert (tmp_path / "empty" / "t.csv").read_text().count("\n") == 1


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFault, match="cannot be made"):
        write_page(PLAIN, tmp_path / "file" / "report")


def test_what_cannot_be_written_leaves_the_former_page(tmp_path: Path) -> None:
    write_page(PLAIN, tmp_path)
    before = (tmp_path / "index.html").read_bytes()
    (tmp_path / "t.csv").unlink()
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(StorageFault, match="cannot be written"):
        write_page(Page("Another", "D", PLAIN.sections), tmp_path)
    assert (tmp_path / "index.html").read_bytes() == before


def test_names_of_files_are_names() -> None:
    with pytest.raises(ValueError, match="stem of a file"):
        Table("../x", COLUMNS, [])
    with pytest.raises(ValueError, match="one name"):
        Page("T", "D", [*PLAIN.sections, Section("S", [], None, Table("T", COLUMNS, []))])


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [360, 1280])
def test_in_a_browser(written: list[Path], tmp_path: Path, width: int) -> None:
    shown = "[...document.querySelectorAll('svg')].filter(e => e.getClientRects().length).length"
    seen = look(
        written[0], width, tmp_path / "profile", "document.scrollingElement.scrollWidth", "document.title", shown
    )
    assert (seen.complaints, seen.requests) == ([], [])
    assert seen.values == [width, PAGE.title, 2]
    assert seen.picture.startswith(b"\x89PNG")
