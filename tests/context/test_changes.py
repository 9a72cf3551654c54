"""Edits since a commit, in real repositories."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from krins.context.changes import edits_since
from krins.context.edits import Edit
from krins.errors import ContextError


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "pkg").mkdir()
    for name in ("a.py", "pkg/b.py", "pkg/c.txt", "mode.sh"):
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("*.log\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_nothing_has_changed_at_first(repository: Path) -> None:
    assert edits_since(repository, "HEAD") == []


def test_changed_new_and_deleted_files_are_edits_and_ignored_ones_are_not(repository: Path) -> None:
    (repository / "a.py").write_text("x = 2\n")
    (repository / "pkg/b.py").unlink()
    (repository / "ü b.py").write_text("y = 1\n")
    (repository / "noise.log").write_text("")
    (repository / ".krins").mkdir()
    (repository / ".krins/tests.json").write_text("{}")
    assert edits_since(repository, "HEAD") == [
        Edit("a.py", b"x = 1\n", b"x = 2\n"),
        Edit("pkg/b.py", b"x = 1\n", None),
        Edit("ü b.py", None, b"y = 1\n"),
    ]


def test_what_was_committed_since_counts_and_what_came_back_does_not(repository: Path) -> None:
    (repository / "a.py").write_text("x = 2\n")
    git(repository, "commit", "-qam", "second")
    (repository / "pkg/c.txt").write_bytes(b"\0\xff")
    assert [edit.path for edit in edits_since(repository, "HEAD~1")] == ["a.py", "pkg/c.txt"]
    (repository / "a.py").write_text("x = 1\n")
    assert [edit.path for edit in edits_since(repository, "HEAD~1")] == ["pkg/c.txt"]


def test_modes_links_and_staged_files_are_edits(repository: Path) -> None:
    (repository / "mode.sh").chmod(0o755)
    (repository / "a.py").unlink()
    (repository / "a.py").symlink_to("nowhere")
    (repository / "staged.py").write_text("")
    git(repository, "add", "staged.py")
    assert edits_since(repository, "HEAD") == [
        Edit("a.py", b"x = 1\n", b"nowhere"),
        Edit("mode.sh", b"x = 1\n", b"x = 1\n"),
        Edit("staged.py", None, b""),
    ]


def test_a_folder_inside_has_its_own_edits_with_paths_from_there(repository: Path) -> None:
    (repository / "a.py").write_text("x = 2\n")
    (repository / "pkg/b.py").write_text("x = 3\n")
    assert edits_since(repository / "pkg", "HEAD") == [Edit("b.py", b"x = 1\n", b"x = 3\n")]


def test_no_repository_and_no_such_commit_are_errors(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(ContextError, match="no-such"):
        edits_since(repository, "no-such")
    with pytest.raises(ContextError):
        edits_since(tmp_path_factory.mktemp("bare"), "HEAD")


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_vanishes_is_deleted_and_one_that_cannot_be_read_is_an_error(
    repository: Path, monkeypatch: pytest.MonkeyPatch, is_gone: bool
) -> None:
    (repository / "a.py").write_text("x = 2\n")

    def fail(path: Path) -> bytes:
        raise FileNotFoundError(path) if is_gone else PermissionError(path)

    monkeypatch.setattr(Path, "read_bytes", fail)  # root may read everything, and no test wins a race
    if is_gone:
        assert edits_since(repository, "HEAD") == [Edit("a.py", b"x = 1\n", None)]
    else:
        with pytest.raises(ContextError, match=r"a\.py: cannot be read"):
            edits_since(repository, "HEAD")
