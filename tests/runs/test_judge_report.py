"""What a report on a judge says: by hand, and through the command on real tasks and a fake provider."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from krins.cli import main
from krins.domain import Call
from krins.pipeline.judging.measuring import Measured
from krins.runs.judge_report import summarise
from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, write_suite, write_table


def measured(
    task: str,
    is_right: bool,
    score: float,
    other: float | None = None,
    length: int = 1,
    cost: str | None = "0.5",
    is_red: bool = False,
) -> Measured:
    call = Call("m", "openai-chat", 0.0, 1.0, None, Decimal(cost) if cost else None, None, agent="judge")
    return Measured(task, "n", is_right, length, is_red, score, other is not None, other, (call,))


def test_figures_by_hand() -> None:
    report = summarise(
        [
            measured("a", True, 0.9, 0.7),
            measured("a", False, 0.6, 0.4, is_red=True),
            measured("b", True, 0.4, 0.6),
            measured("b", False, 0.1, 0.1),
        ],
        "m",
        0.5,
    )
    assert (report.n_right, report.n_wrong, report.n_tasks, report.is_probability) == (2, 2, 2, True)
    for share, mean in (
        (report.sensitivity, 0.5),
        (report.specificity, 0.5),
        (report.balanced_accuracy, 0.5),
        (report.area_under_curve, 0.75),
        (report.sensitivity_with_gates, 0.5),
        (report.specificity_with_gates, 1.0),
    ):
        assert share is not None
        assert share.mean == pytest.approx(mean)
    assert report.brier_score == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert report.order_effect == pytest.approx((0.2 + 0.2 + 0.2 + 0.0) / 4)
    assert report.order_flips == 0.5
    assert report.cost_usd == Decimal("0.5")


def test_length_is_compared_within_right_and_wrong_changes() -> None:
    right = [measured("a", True, score, length=length) for score, length in ((0.9, 3), (0.8, 2), (0.7, 1))]
    wrong = [measured("a", False, score, length=length) for score, length in ((0.1, 30), (0.2, 20), (0.3, 10))]
    assert summarise([*right, *wrong], "m", 0.5).length_correlation == pytest.approx(0.0)
    assert summarise([*right, measured("a", False, 0.1)], "m", 0.5).length_correlation == pytest.approx(1.0)


def test_what_is_not_known_is_not_said() -> None:
    report = summarise([measured("a", True, 0.9, cost=None), measured("b", True, 0.2)], "m", 0.5)
    assert (report.cost_usd, report.order_effect, report.is_probability) == (None, None, False)
    assert (report.specificity, report.balanced_accuracy) == (None, None)


def test_the_command(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    include = {"task_id": ["backend-easy-success-status", "docs-easy-count-words"]}
    content = live_environment(
        start_server().base_url, ["p-100", "p-0"], include=include, budget={"confirm_above_usd": "0.01"}
    )
    suite, output = write_suite(tmp_path, content, ["random"]), tmp_path / "report.json"
    arguments = ["judge-report", str(suite), "--home", str(tmp_path / "home"), "--json", str(output)]
    asking = CliRunner().invoke(main, [*arguments, "--judge", "p-100"])
    assert asking.exit_code == 2
    assert "confirm_above_usd" in asking.output
    shown = CliRunner().invoke(main, [*arguments, "--judge", "p-100", "--yes"])
    assert shown.exit_code == 0, shown.output
    assert "judge p-100: 2 right and 6 wrong changes of 2 tasks" in shown.output
    report = json.loads(output.read_text())
    assert (report["judge"], report["is_probability"]) == ("p-100", True)
    assert 0 < float(report["cost_usd"]) < 0.1
    absent = CliRunner().invoke(main, [*arguments, "--judge", "nobody"])
    assert absent.exit_code == 2
    assert "no model 'nobody'" in absent.output


def test_a_recorded_suite_has_no_judge(tmp_path: Path) -> None:
    import numpy as np

    write_table(tmp_path / "table.parquet", np.ones((3, 2)), np.ones((3, 2)))
    suite = write_suite(tmp_path, {"kind": "recorded", "table": "table.parquet"}, ["random"])
    result = CliRunner().invoke(main, ["judge-report", str(suite)])
    assert result.exit_code == 2
    assert "a recorded suite asks no model" in result.output
