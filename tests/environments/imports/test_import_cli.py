"""`krins-eval import` as a user meets it: its output, its exit codes, and what other commands make of its tables."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from krins import run
from krins.cli import main
from tests.support.suites import write_suite

LOGS = Path(__file__).parent / "logs"
ZIPPED, PLAIN, SPENT = (LOGS / name for name in ("sums_gpt-4.1-mini.eval", "sums_gpt-4.1-nano.json", "spend_logs.json"))


def krins(*arguments: str | Path) -> Result:
    """In this process: the commands are the same, and their imports are paid for once."""
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_logs_of_inspect_become_a_table_that_can_be_described_and_run(tmp_path: Path) -> None:
    table, again = tmp_path / "table.parquet", tmp_path / "again.parquet"
    done = krins("import", "inspect", ZIPPED, PLAIN, "--scorer", "grade", "--output", table)
    assert done.exit_code == 0, done.stderr
    for expected in (
        "12 outcomes of 4 tasks by 2 models",
        "missing: 2 of 8 (task, model) cells",
        "note: 1 samples ended in an error: failures of the infrastructure, without a quality",
        "list prices of genai-prices",
    ):
        assert expected in done.stdout
    assert done.stdout == krins("import", "inspect", ZIPPED, PLAIN, "--scorer", "grade", "--output", again).stdout
    assert table.read_bytes() == again.read_bytes()
    described = krins("describe", table)
    assert "4 from 2 repositories" in described.stdout
    suite = write_suite(
        tmp_path, {"kind": "recorded", "table": "table.parquet", "missing": "fail"}, ["thompson"], replications=5
    )
    result = run(suite, home=tmp_path / "home")
    assert result.baselines is not None
    assert result.baselines.best_single.model == "openai/gpt-4.1-mini"


def test_a_spend_log_needs_qualities_before_it_can_be_run(tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    done = krins("import", "litellm", SPENT, "--output", table)
    assert done.exit_code == 0, done.stderr
    assert "no quality is known: this table cannot be run until somebody says which answers were right" in done.stdout
    qualities = tmp_path / "q.csv"
    qualities.write_text("task_id,model,quality\nsum,large,1\nsum,small,0\ncapital,large,1\ncapital,small,1\n")
    done = krins("import", "litellm", SPENT, "--quality", qualities, "--output", table)
    assert "note: 4 answers without a quality" in done.stdout
    described = krins("describe", table, "--exclude-model", "broken", "--exclude-model", "unpriced")
    assert described.exit_code == 0, described.stderr


def test_what_is_wrong_is_said_in_two_lines_and_leaves_no_file(tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    done = krins("import", "inspect", ZIPPED, ZIPPED, "--scorer", "grade", "--output", table)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 2
    assert "sample 0 of task sums/add-1 by model openai/gpt-4.1-mini stands twice" in done.stderr
    assert list(tmp_path.iterdir()) == []
    for arguments in (("openhands", LOGS), ("routellm", LOGS, "--benchmark", "mmlu"), ("litellm", ZIPPED)):
        done = krins("import", *arguments, "--output", table)
        assert (done.exit_code, "Traceback" in done.stderr) == (2, False)
    assert "ends in .parquet" in krins("import", "inspect", ZIPPED, "--output", tmp_path / "t.csv").stderr


def test_help_answers_at_once() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(Path(sys.executable).with_name("krins-eval")), "import", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert all(source in done.stdout for source in ("inspect", "litellm", "openhands", "routellm"))
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
