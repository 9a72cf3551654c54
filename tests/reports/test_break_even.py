"""What a verifier must be able to do, as text and as a figure."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from krins.reports.break_even import break_even_figure
from krins.reports.figures import draw
from krins.reports.run_table import render
from krins.runs.result import BreakEven, RunResult
from tests.reports.results import result, router

SENSITIVITIES = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
CURVE = BreakEven(
    sensitivity=SENSITIVITIES,
    better_reward=[None, *[(0.9, 1.0)] * 10],
    surely_better_reward=[None] * 11,
    saving=[*[(0.64, 0.95)] * 10, (0.41, 1.0)],
    sure_saving=[*[None] * 10, (0.77, 0.97)],
)
NAME = "a-model-with-a-long-name > another-model-with-a-long-name (simulated verifier 90%/80%)"
DEMO = result(router("thompson"), router(NAME, break_even=CURVE))


def text_of(shown: RunResult, width: int) -> str:
    output = io.StringIO()
    render(shown, Console(file=output, width=width))
    return output.getvalue()


def test_each_criterion_stands_beside_its_own_numbers() -> None:
    lines = text_of(DEMO, 160).splitlines()
    first, last = lines.index(f"{NAME}:"), next(i for i, line in enumerate(lines) if line.startswith("break-even"))
    rows = {line.split("  ")[0]: line for line in lines[first:last]}
    assert rows["more reward"].split()[2:] == ["-", *["0.90"] * 6]
    assert rows["more reward, for certain"].split()[4:] == ["-"] * 7
    assert rows["saving"].split()[1:] == [*["0.64", "to", "0.95"] * 6, "0.41"]
    assert rows["saving, for certain"].split()[3:] == [*["-"] * 6, "0.77", "to", "0.97"]


def test_nothing_is_cut_off_on_a_narrow_page() -> None:
    text = text_of(DEMO, 60)
    assert text.count("0.64 to 0.95") == 6
    assert max(len(line) for line in text.splitlines()) <= 60


def test_runs_without_a_cascade_say_nothing_of_verifiers() -> None:
    assert "verifier" not in text_of(result(router("thompson")), 160)
    assert break_even_figure(result(router("thompson"))) is None


def test_the_figure_says_that_the_verifier_is_simulated(tmp_path: Path) -> None:
    paths = draw(DEMO, tmp_path)
    assert {path.name for path in paths} >= {"break_even.png", "break_even.html"}
    assert "SIMULATED" in (tmp_path / "break_even.html").read_text()
    never = BreakEven(sensitivity=SENSITIVITIES, **dict.fromkeys(list(CURVE.model_dump())[1:], [None] * 11))
    assert break_even_figure(result(router(NAME, break_even=never))) is None
