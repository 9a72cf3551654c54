"""`krins-context` as a user meets it: real commands on real repositories, their output, their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

KRINS_CONTEXT = str(Path(sys.executable).with_name("krins-context"))
CORE = '''"""Sums."""

LIMIT = 10


def add(a, b):
    """The sum."""
    return a + b


def twice(a):
    return add(a, a)


def alone():
    return LIMIT
'''
TESTS = """from pkg.core import alone, twice


def test_twice():
    assert twice(2) == 4


def test_alone():
    assert alone() == 10
"""


def run(*arguments: str | Path, **keys: object) -> subprocess.CompletedProcess[str]:
    command = [KRINS_CONTEXT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **keys)  # type: ignore[call-overload, no-any-return]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    files = {
        "pkg/__init__.py": "",
        "pkg/core.py": CORE,
        "tests/test_core.py": TESTS,
        "web/app.js": "function go() {}\n",
        "data.bin": "",
        ".github/CODEOWNERS": "* @all\n/pkg/ @core a@b.org\n![x] @none\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "Add sums")
    return tmp_path


def edit(repository: Path, old: str, new: str) -> None:
    path = repository / "pkg/core.py"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))


def test_graph_counts_by_language_and_says_what_was_skipped(repository: Path) -> None:
    done = run("graph", repository)
    assert done.returncode == 0, done.stderr
    rows = {words[0]: words[1:] for words in map(str.split, done.stdout.splitlines()) if words}
    assert rows["python"] == ["3", "25", "6", "2", "3"]
    assert rows["javascript"][0] == "1"
    assert rows["total"][0] == "4"
    assert "2 no grammar" in done.stdout
    assert (repository / ".krins/context.parquet").exists()


def test_graph_prints_the_same_as_json(repository: Path) -> None:
    found = json.loads(run("graph", repository, "--json", "--no-cache").stdout)
    assert found["languages"]["python"] == {"files": 3, "lines": 25, "symbols": 6, "imports": 2, "calls": 3}
    assert found["total"]["files"] == 4
    assert found["skipped"] == {"no grammar": 2}
    assert not (repository / ".krins").exists()


def test_the_root_is_the_current_folder_by_default(repository: Path) -> None:
    assert run("graph", cwd=repository).stdout == run("graph", repository).stdout


def test_impact_shows_what_can_break_nearest_first(repository: Path) -> None:
    done = run("impact", repository, "pkg/core.py::add")
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows[0] == ["1", "call", "pkg/core.py::twice", "from pkg/core.py::add"]
    assert ["2", "name", "tests/test_core.py::test_twice", "from pkg/core.py::twice"] in rows or [
        "2", "call", "tests/test_core.py::test_twice", "from pkg/core.py::twice"
    ] in rows  # fmt: skip
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)
    few = run("impact", repository, "pkg/core.py::add", "--limit", "1")
    assert few.stdout.splitlines() == done.stdout.splitlines()[:1]
    assert "more" in few.stderr


def test_impact_names_the_tests_of_a_body(repository: Path) -> None:
    done = run("impact", "add", "--tests", cwd=repository)
    assert done.stdout == "tests/test_core.py::test_twice\n"
    assert "1 of 2 tests, 50.0% skipped" in done.stderr


def test_impact_of_a_diff_goes_by_what_changed(repository: Path) -> None:
    edit(repository, "return a + b", "return b + a")
    done = run("impact", repository, "--diff", "HEAD")
    assert done.stdout.splitlines()[0].startswith("1\tcall\tpkg/core.py::twice")
    assert run("impact", repository, "--diff", "HEAD", "--tests").stdout == "tests/test_core.py::test_twice\n"
    edit(repository, "LIMIT = 10", "LIMIT = 11")
    done = run("impact", repository, "--diff", "HEAD", "--tests")
    assert done.stdout == "tests/test_core.py\n"
    assert "because: pkg/core.py changes outside of function bodies" in done.stderr
    (repository / "data.bin").write_text("1")
    assert "data.bin is no Python source" in run("impact", repository, "--diff", "HEAD", "--tests").stderr
    assert "data.bin is not in the graph" in run("impact", repository, "--diff", "HEAD").stderr


def test_owners_of_paths_and_how_many_files_are_whose(repository: Path) -> None:
    done = run("owners", repository, "pkg/core.py", "docs/x.md")
    assert done.stdout == "pkg/core.py\t@core a@b.org\ndocs/x.md\t@all\n"
    assert "CODEOWNERS:3: patterns cannot be negated" in done.stderr
    assert run("owners", repository, "./pkg/core.py").stdout == "./pkg/core.py\t@core a@b.org\n"
    assert run("owners", repository).stdout == "2\t@all\n2\t@core\n2\ta@b.org\n0\tnobody\n"


def test_select_prints_a_context_within_its_budget(repository: Path) -> None:
    done = run("select", repository, "--task", "make add take three numbers", "--budget", "80")
    assert done.returncode == 0, done.stderr
    assert "pkg/core.py" in done.stdout
    assert "80 tokens (o200k)" in done.stderr
    found = json.loads(
        run("select", repository, "--task", "make add take three numbers", "--budget", "80", "--json").stdout
    )
    assert found["text"] == done.stdout
    assert found["tokens"] <= 80 < found["source_tokens"]
    assert {"path", "level", "ranges"} == set(found["files"][0])


def test_select_takes_the_task_from_a_file_and_the_tree_from_a_commit(repository: Path, tmp_path: Path) -> None:
    task = tmp_path / "task.txt"
    task.write_text("add three numbers: é")
    arguments = ("select", repository, "--task-file", task, "--budget", "1000", "--tokenizer", "claude")
    first = run(*arguments, "--rev", "HEAD")
    edit(repository, "a + b", "b + a")
    assert "b + a" in run(*arguments).stdout
    assert run(*arguments, "--rev", "HEAD").stdout == first.stdout
    assert "a + b" in first.stdout
    assert "(claude)" in first.stderr
    text = task.read_text()
    piped = run("select", repository, "--task-file", "-", "--budget", "1000", "--rev", "HEAD", input=text)
    assert piped.stdout == first.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("graph", "nowhere"), ("nowhere: no such folder", "remedy")),
        (("owners", "nowhere"), ("no such folder",)),
        (("impact", "twic"), ("twic", "perhaps twice")),
        (("impact", "pkg/cores.py"), ("perhaps", "pkg/core.py")),
        (("impact",), ("name what changes, or give --diff",)),
        (("impact", "add", "--diff", "HEAD"), ("name what changes, or give --diff",)),
        (("impact", "--diff", "no-such-rev"), ("no-such-rev",)),
        (("select", "--task", "x", "--budget", "9", "--rev", "no-such-rev"), ("no-such-rev",)),
        (("select", "--task", "x", "--budget", "9", "--tokenizer", "none"), ("no tokenizer 'none'",)),
        (("select", "--task", "x", "--budget", "-1"), ("-1",)),
        (("select", "--budget", "9"), ("--task or --task-file",)),
        (("select", "--task-file", "latin.txt", "--budget", "9"), ("--task-file", "UTF-8")),
        (("owners", ".", "../pkg/core.py"), ("not relative to ROOT", "remedy")),
        (("graph", "empty"), ("holds no source file", "remedy")),
    ],
)
def test_errors_name_cause_and_remedy_and_exit_with_2(
    repository: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    (repository / "empty").mkdir()
    (repository / "latin.txt").write_bytes(b"caf\xe9")
    done = run(*arguments, cwd=repository)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [("impact", "--diff", "HEAD"), ("select", "--task", "x", "--budget", "9", "--rev", "HEAD")]
)
def test_without_a_repository_commits_are_refused_and_the_rest_works(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "a.py").write_text("def f():\n    pass\n")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "repository" in done.stderr
    assert run("graph", cwd=tmp_path).returncode == 0
    assert run("select", "--task", "f", "--budget", "99", cwd=tmp_path).stdout.endswith("def f():\n    pass\n")
    missing = run("owners", cwd=tmp_path)
    assert (missing.returncode, "no CODEOWNERS file" in missing.stderr) == (2, True)


def test_a_folder_that_cannot_be_written_to_costs_the_cache_alone(repository: Path) -> None:
    (repository / ".krins").write_text("in the way")
    done = run("graph", repository)
    assert done.returncode == 0
    assert "warning" in done.stderr
    assert "python" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    heavy = ["numpy", "scipy", "tree_sitter", "pyarrow", "rich", "krins.context.graph"]
    code = f"import sys, krins.cli.context; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
    for command in ("graph", "impact", "owners", "select"):
        assert f"Usage: krins-context {command}" in run(command, "--help").stdout
