"""The tasks that selection is measured on, made from a small repository with known changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.commits import Case, cases, task_of
from tests.context.trees import SHOP

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True, text=True).stdout


def commit(root: Path, message: str, **changes: str) -> None:
    for name, text in changes.items():
        path = root / {"money": "shop/money.py", "invoice": "shop/invoice.py", "test": "tests/test_invoice.py"}[name]
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    git(root, "add", ".")
    git(root, "commit", "-qm", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    money, invoice, test = SHOP["shop/money.py"], SHOP["shop/invoice.py"], SHOP["tests/test_invoice.py"]
    commit(tmp_path, "First files of the shop", money=money, invoice=invoice, test=test)
    money = money.replace("quantize(CENT)", "quantize(CENT, 'ROUND_HALF_UP')")
    commit(tmp_path, "Round half of shop/money.py up, see #12", money=money, test=test.replace("== 0", "== 0.0"))
    commit(tmp_path, "Only the code of this one", money=money + "\n")
    commit(
        tmp_path,
        "New function between two others",
        invoice=invoice.replace("\n\n\ndef print", "\n\n\ndef new():\n    pass\n\n\ndef print"),
        test=test + "\n\ndef test_new():\n    pass\n",
    )
    return tmp_path


def symbols(case: Case, units: frozenset[int]) -> set[str]:
    return {case.graph.symbol(unit) for unit in units}


def test_only_commits_that_change_code_and_tests_are_tasks(repository: Path) -> None:
    assert [case.task for case in cases(repository, 10)] == [
        "New function between two others",
        "Round half of   up, see",
    ]
    assert len(list(cases(repository, 1))) == 1


def test_what_a_commit_changes_is_needed(repository: Path) -> None:
    between, rounding = cases(repository, 10)
    assert symbols(rounding, rounding.gold_units) == {"shop/money.py::Money.rounded"}
    assert symbols(rounding, rounding.gold_tests) == {"tests/test_invoice.py::test_total"}
    assert [change.message for change in rounding.history] == ["First files of the shop"]
    assert between.gold_units == frozenset()
    assert {between.graph.paths[file] for file in between.gold_files} == {"shop/invoice.py"}


def test_a_task_does_not_name_its_answer() -> None:
    assert task_of("Fix cookies.py (#7)\n\nIn src/app they broke.\n\nCo-authored-by: A <a@example.org>").split() == [
        "Fix",
        "In",
        "they",
        "broke.",
    ]


def test_the_experiment_runs(repository: Path) -> None:
    command = [sys.executable, str(EXPERIMENTS / "context_recall.py"), str(repository), "--cases", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "2 commits, 3 source files on average" in done.stdout
