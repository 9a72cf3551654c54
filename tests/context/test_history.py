from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from krins.context.history import Change, read_history
from krins.errors import ContextError


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a b.py").write_text("x = 1\n")
    (tmp_path / "top.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "First\n\nWith a body.")
    (tmp_path / "pkg" / "a b.py").write_text("x = 2\n")
    git(tmp_path, "commit", "-qam", "Second")
    return tmp_path


def test_commits_come_newest_first(repository: Path) -> None:
    assert read_history(repository) == [
        Change("Second", ("pkg/a b.py",)),
        Change("First\n\nWith a body.", ("pkg/a b.py", "top.py")),
    ]


def test_no_more_than_asked_for(repository: Path) -> None:
    assert [change.message for change in read_history(repository, n_commits=1)] == ["Second"]


def test_of_a_folder_only_what_is_in_it(repository: Path) -> None:
    assert [change.paths for change in read_history(repository / "pkg")] == [("a b.py",), ("a b.py",)]


def test_up_to_a_commit(repository: Path) -> None:
    assert [change.message for change in read_history(repository, "HEAD~1")] == ["First\n\nWith a body."]


def test_without_repository_or_commits_there_is_none(tmp_path: Path) -> None:
    assert read_history(tmp_path) == ()
    git(tmp_path, "init", "-q")
    assert read_history(tmp_path) == ()


def test_an_unknown_commit_is_named(repository: Path) -> None:
    with pytest.raises(ContextError, match="no commit 'absent'"):
        read_history(repository, "absent")
