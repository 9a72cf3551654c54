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
from krins.runs.judge_figures import Verifier, summarise
from krins.statistics.judging import Counted, error_adjusted_rate
from tests.support.fake_provider import FakeServer
from tests.support.suites import live_environment, write_suite, write_table


def measured(
    task: str,
    is_right: bool,
    score: float,
    other: float | None = None,
    length: int = 1,
    cost: str | None = "0.5",
    is_stopped: bool = False,
) -> Measured:
    call = Call("m", "openai-chat", 0.0, 1.0, None, Decimal(cost) if cost else None, None, agent="judge")
    return Measured(
        task, "n", is_right, length, is_stopped, score, other is not None, other, (call,), (call,) * (other is not None)
    )


def test_figures_by_hand() -> None:
    report = summarise(
        [
            measured("a", True, 0.9, 0.7),
            measured("a", False, 0.6, 0.4, is_stopped=True),
            measured("b", True, 0.4, 0.6),
            measured("b", False, 0.1, 0.1),
        ],
        [],
        "m",
        0.5,
    )
    figures = report.kept
    assert (figures.n_right, figures.n_wrong, figures.n_tasks, report.is_probability) == (2, 2, 2, True)
    for share, mean in (
        (figures.sensitivity, 0.5),
        (figures.specificity, 0.5),
        (figures.balanced_accuracy, 0.5),
        (figures.area_under_curve, 0.75),
        (figures.sensitivity_with_gates, 0.5),
        (figures.specificity_with_gates, 1.0),
    ):
        assert share is not None
        assert share.mean == pytest.approx(mean)
    assert figures.brier_score == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert figures.order_effect == pytest.approx((0.2 + 0.2 + 0.2 + 0.0) / 4)
    assert figures.order_flips == 0.5
    assert (report.answers, report.pass_rate) == (None, None)
    assert report.cost_usd == Decimal("0.5"), "the other order is no part of a judgement"
    assert report.verifier == Verifier(sensitivity=0.5, specificity=1.0, usd_per_check=0.5)


def of_rates(n_tasks: int, right_accepted: int, n_right: int, wrong_accepted: int, n_wrong: int) -> list[Measured]:
    cases = [(True, i < right_accepted) for i in range(n_right)] + [(False, i < wrong_accepted) for i in range(n_wrong)]
    return [measured(f"t{i % n_tasks}", right, 0.9 if yes else 0.1) for i, (right, yes) in enumerate(cases)]


def test_the_pass_rate_of_answers_without_the_judges_errors() -> None:
    kept, answers = of_rates(10, 16, 20, 6, 20), of_rates(10, 30, 40, 20, 60)
    report = summarise(kept, answers, "m", 0.5)
    rate, adjusted = report.pass_rate, error_adjusted_rate(Counted(50, 100), Counted(16, 20), Counted(14, 20))
    assert rate is not None
    assert rate.adjusted is not None
    assert (rate.by_hidden_tests.mean, rate.accepted.mean) == (0.4, 0.5)
    assert rate.adjusted.mean == pytest.approx((0.5 + 0.7 - 1) / (0.8 + 0.7 - 1))
    assert (rate.adjusted.low, rate.adjusted.high) == (adjusted.low, adjusted.high)
    assert report.verifier is not None
    assert report.verifier.sensitivity == pytest.approx(30 / 40), "of models' answers where there are any"
    assert report.verifier.specificity == pytest.approx(40 / 60)
    coin = summarise(of_rates(10, 10, 20, 10, 20), answers, "m", 0.5).pass_rate
    assert coin is not None
    assert coin.adjusted is None


def test_what_a_pipeline_never_accepts_counts_as_refused_and_no_price_is_no_verifier() -> None:
    cases = [measured("a", True, 0.9, is_stopped=True), measured("b", True, 0.9), measured("c", False, 0.1)]
    report = summarise(cases, [], "m", 0.5)
    assert report.kept.sensitivity_with_gates is not None
    assert report.kept.sensitivity_with_gates.mean == 0.5
    assert report.verifier is not None
    free = summarise([*cases[1:], measured("d", True, 0.9, cost=None)], [], "m", 0.5)
    assert (free.cost_usd, free.verifier) == (None, None)


def test_length_is_compared_within_right_and_wrong_changes() -> None:
    right = [measured("a", True, score, length=length) for score, length in ((0.9, 3), (0.8, 2), (0.7, 1))]
    wrong = [measured("a", False, score, length=length) for score, length in ((0.1, 30), (0.2, 20), (0.3, 10))]
    assert summarise([*right, *wrong], [], "m", 0.5).kept.length_correlation == pytest.approx(0.0)
    assert summarise([*right, measured("a", False, 0.1)], [], "m", 0.5).kept.length_correlation == pytest.approx(1.0)


def test_what_is_not_known_is_not_said() -> None:
    report = summarise([measured("a", True, 0.9, cost=None), measured("b", True, 0.2)], [], "m", 0.5)
    assert (report.cost_usd, report.kept.order_effect, report.is_probability) == (None, None, False)
    assert (report.kept.specificity, report.kept.balanced_accuracy, report.verifier) == (None, None, None)


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
    assert "judge p-100: a score of 0.5 or more is a yes" in shown.output
    report = json.loads(output.read_text())
    assert (report["judge"], report["is_probability"]) == ("p-100", True)
    assert 0 < float(report["cost_usd"]) < 0.1
    assert [report["kept"][name] for name in ("n_right", "n_wrong", "n_tasks")] == [2, 6, 2]
    absent = CliRunner().invoke(main, [*arguments, "--judge", "nobody"])
    assert absent.exit_code == 2
    assert "no model 'nobody'" in absent.output


def test_on_recorded_answers_and_as_the_verifier_of_a_cascade(
    start_server: Callable[..., FakeServer], tmp_path: Path
) -> None:
    only = {"task_id": ["backend-easy-success-status", "docs-easy-count-words"]}
    content = live_environment(start_server().base_url, ["p-100", "p-0"], include=only, samples=2)
    suite, home = write_suite(tmp_path, content, ["random"]), ["--home", str(tmp_path / "home")]
    recording, report = str(tmp_path / "answers.parquet"), tmp_path / "report.json"

    def krins(*arguments: str) -> str:
        done = CliRunner().invoke(main, [*arguments, *home])
        assert done.exit_code == 0, done.output
        return done.output

    krins("record", str(suite), "--output", recording)
    told = krins("judge-report", str(suite), "--judge", "p-100", "--answers", recording, "--json", str(report), "--yes")
    assert "models' changes that are right, by hidden tests: 0.000" in told
    assert "that gates and judge accept" in told
    found = json.loads(report.read_text())
    assert [found["answers"][name] for name in ("n_right", "n_wrong")] == [0, 4], "those of p-100 are its own"
    judged = json.loads(report.read_text()) | {"verifier": {"sensitivity": 0.8, "specificity": 0.7, "usd_per_check": 0}}
    report.write_text(json.dumps(judged))
    routers = [{"policy": "cascade", "models": ["p-0", "p-100"], "verifier": "report.json"}]
    cascade = write_suite(tmp_path, {"kind": "recorded", "table": recording}, routers, replications=4)
    assert "simulated verifier 80%/70%" in krins("run", str(cascade))
    for text, problem in (("{}", "is no report"), ('{"verifier": null}', "knows no rates or no price")):
        report.write_text(text)
        refused = CliRunner().invoke(main, ["run", str(cascade), *home])
        assert refused.exit_code == 2
        assert problem in " ".join(refused.output.split())


def test_a_recording_of_other_tasks_is_refused(start_server: Callable[..., FakeServer], tmp_path: Path) -> None:
    import numpy as np

    content = live_environment(
        start_server().base_url, ["p-100", "p-0"], include={"task_id": ["docs-easy-count-words"]}
    )
    suite = write_suite(tmp_path, content, ["random"])
    write_table(tmp_path / "table.parquet", np.ones((3, 2)), np.ones((3, 2)))
    arguments = ["judge-report", str(suite), "--home", str(tmp_path / "home")]
    refused = CliRunner().invoke(main, [*arguments, "--answers", str(tmp_path / "table.parquet")])
    assert refused.exit_code == 2
    assert "has no column 'outcome'" in refused.output
    absent = CliRunner().invoke(main, [*arguments, "--answers", str(tmp_path / "absent.parquet")])
    assert absent.exit_code == 2


def test_a_recorded_suite_has_no_judge(tmp_path: Path) -> None:
    import numpy as np

    write_table(tmp_path / "table.parquet", np.ones((3, 2)), np.ones((3, 2)))
    suite = write_suite(tmp_path, {"kind": "recorded", "table": "table.parquet"}, ["random"])
    result = CliRunner().invoke(main, ["judge-report", str(suite)])
    assert result.exit_code == 2
    assert "a recorded suite asks no model" in result.output
