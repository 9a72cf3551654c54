"""Whose a path is: the documentation's own cases, lines with errors, and git's word on patterns."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from krins.context.owners import PLACES, CodeOwners
from krins.errors import ContextError

# After the example file of GitHub Docs, "About code owners", with its words on what each line does below.
DOCUMENTED = """\
# A line that starts with # is a comment.
*       @global-owner1 @global-owner2

*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
"""


@pytest.mark.parametrize(
    ("path", "line", "owners"),
    [
        ("README.md", 2, "@global-owner1 @global-owner2"),
        ("deep/in/a/folder", 2, "@global-owner1 @global-owner2"),
        ("src/app.js", 4, "@js-owner"),
        ("main.go", 5, "docs@example.com"),
        ("notes/a.txt", 6, "@octo-org/octocats"),
        # `/build/logs/` at the root alone; `**/logs` comes later and matches in any folder.
        ("build/logs/today", 12, "@octocat"),
        ("deeply/nested/logs/x", 12, "@octocat"),
        ("logs", 12, "@octocat"),
        ("build/output", 2, "@global-owner1 @global-owner2"),
        # `docs/` at the root and all that is in it.
        ("docs/getting-started.md", 10, "@doctocat"),
        ("docs/build-app/troubleshooting.md", 10, "@doctocat"),
        ("scripts/run.sh", 11, "@doctocat @octocat"),
        # `apps/` in any folder, then `/apps/` at the root, of which `/apps/github` belongs to nobody.
        ("sub/apps/x.c", 9, "@octocat"),
        ("apps/x.c", 13, "@octocat"),
        ("apps/github", 14, ""),
        ("apps/github/action.yml", 14, ""),
        ("apps/githubber", 13, "@octocat"),
    ],
)
def test_documented_example(path: str, line: int, owners: str) -> None:
    codeowners = CodeOwners.parse(DOCUMENTED)
    rule = codeowners.rule(path)
    assert codeowners.problems == ()
    assert rule is not None
    assert (rule.line, rule.owners) == (line, tuple(owners.split()))
    assert codeowners.owners(path) == tuple(owners.split())


@pytest.mark.parametrize(
    ("pattern", "matched", "not_matched"),
    [
        ("*", ["a", "a/b.c", ".x/y"], []),
        ("/*", ["a", ".b"], ["a/b"]),
        ("docs/*", ["docs/a.md"], ["docs/build-app/troubleshooting.md", "x/docs/a.md", "docs"]),
        ("docs/**/*", ["docs/a.md", "docs/x/y/a.md"], ["docs"]),
        ("docs", ["docs", "docs/a", "x/docs", "x/docs/y/z"], ["docs2", "mydocs/a"]),
        ("docs/", ["docs/a", "x/docs/y/z", "x\ny/docs/a\nb"], ["docs", "x/docs"]),
        ("/docs", ["docs", "docs/a"], ["x/docs"]),
        ("a/b", ["a/b", "a/b/c"], ["x/a/b", "a/bc"]),
        ("**/a/b", ["a/b", "x/y/a/b/c"], ["xa/b"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b/c"], ["ab", "a/xb"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        ("*.py", ["a.py", "x/.py", "x.py/y"], ["a.pyc"]),
        ("x?.c", ["xa.c", "d/xé.c"], ["x.c", "x/.c", "xab.c"]),
        ("a*c/d", ["ac/d", "abbc/d/e"], ["a/c/d"]),
        (r"a\ b/c\*", ["a b/c*", "a b/c*/d"], ["a b/cd"]),
        ("a+(b).$", ["a+(b).$", "x/a+(b).$"], ["aab.$"]),
        (r"\[a\].py", ["[a].py"], ["a.py"]),
        ("Docs", ["Docs/a"], ["docs/a"]),
    ],
)
def test_patterns(pattern: str, matched: list[str], not_matched: list[str]) -> None:
    codeowners = CodeOwners.parse(f"{pattern} @a")
    assert codeowners.problems == ()
    assert [path for path in matched + not_matched if codeowners.owners(path)] == matched


def test_lines_with_errors_are_skipped_and_told() -> None:
    text = "\r\n".join(
        [
            "* @all",
            "!a @b",
            r"\#a @b",
            "[a-c].py @b",
            "^[Section][2] @b",
            "a.py bob",
            "a.py @ok @bad! @b",
            "a.py @-",
            "a.py @o/t/u",
            "",
            "  \t# @b",
            "  b.py\t@x-y_z  a.b+c@mail.example.org  # not @this",
        ]
    )
    codeowners = CodeOwners.parse(text)
    assert [(rule.line, rule.pattern, rule.owners) for rule in codeowners.rules] == [
        (1, "*", ("@all",)),
        (8, "a.py", ("@-",)),
        (12, "b.py", ("@x-y_z", "a.b+c@mail.example.org")),
    ]
    assert [problem.line for problem in codeowners.problems] == [2, 3, 4, 5, 6, 7, 9]
    assert "bob is no @user" in codeowners.problems[4].reason
    assert "GitLab" in codeowners.problems[3].reason
    assert codeowners.owners("c") == ("@all",)


def test_owned() -> None:
    codeowners = CodeOwners.parse("*.py @b @a\nfree.py\n*.c @a")
    assert codeowners.owned(["x.py", "free.py", "y.c", "z", "a/x.py"]) == {
        "@a": ("x.py", "y.c", "a/x.py"),
        "@b": ("x.py", "a/x.py"),
    }


def test_first_place_that_has_a_file_counts(tmp_path: Path) -> None:
    assert CodeOwners.of(tmp_path) == CodeOwners((), ())
    assert CodeOwners.of(tmp_path).owners("a") == ()
    for place in reversed(PLACES):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(f"* @{place.count('/')}{place[0].strip('.')}", encoding="utf-8-sig")
        found = CodeOwners.of(tmp_path)
        assert found.file == tmp_path / place
        assert found.owners("a") == (f"@{place.count('/')}{place[0].strip('.')}",)


@pytest.mark.parametrize(("content", "words"), [(b"* @a\n\xff", "UTF-8"), (b"#" * 3_000_001, "3 MB")])
def test_file_that_cannot_be_used(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "CODEOWNERS").write_bytes(content)
    with pytest.raises(ContextError, match=words) as caught:
        CodeOwners.of(tmp_path)
    assert "CODEOWNERS" in str(caught.value)


parts = st.sampled_from(["a", "b", "ab", "*", "a*", "*b", "?", "a?", "**", "*.b", "a.b", "+", "é"])
patterns = st.builds(
    lambda start, inner, end: start + "/".join(inner) + end,
    st.sampled_from(["", "/"]),
    st.lists(parts, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
)
paths = st.lists(st.sampled_from(["a", "b", "ab", "aab", "a.b", ".b", "+", "é"]), min_size=1, max_size=5).map("/".join)


@given(text=st.lists(st.tuples(patterns, st.sampled_from(["@x", "@y @x", "", "# @z"]))), path=paths)
def test_last_rule_that_matches_decides(text: list[tuple[str, str]], path: str) -> None:
    lines = [f"{pattern} {owners}" for pattern, owners in text]
    alone = [(number, CodeOwners.parse(line).rule(path)) for number, line in enumerate(lines, 1)]
    expected = [(number, rule.owners) for number, rule in alone if rule]
    rule = CodeOwners.parse("\n".join(lines)).rule(path)
    assert ((rule.line, rule.owners) if rule else None) == (expected[-1] if expected else None)


@given(text=st.text(st.sampled_from("a/*?[]!#\\ @\t\n\r^é"), max_size=30), path=paths)
def test_any_text_is_read(text: str, path: str) -> None:
    codeowners = CodeOwners.parse(text)
    codeowners.owners(path)
    numbers = [rule.line for rule in codeowners.rules] + [problem.line for problem in codeowners.problems]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(range(1, text.count("\n") + 2))


@pytest.fixture(scope="module")
def ignoring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ignoring")
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return root


shared = patterns.filter(lambda pattern: not pattern.endswith("/*"))


@settings(max_examples=80, deadline=None)
@given(pattern=shared, found=st.lists(paths.filter(str.isascii), min_size=1, unique=True))
def test_shared_patterns_match_what_git_ignores(ignoring: Path, pattern: str, found: list[str]) -> None:
    """But those ending in `/*`: to git, these match folders, and so all that is in them; and `?` is a byte to it."""
    (ignoring / ".git/info/exclude").write_text(f"{pattern}\n", encoding="utf-8")
    question = "\0".join(found).encode()
    command = ["git", "-C", str(ignoring), "check-ignore", "--no-index", "--stdin", "-z"]
    done = subprocess.run(command, input=question, capture_output=True)
    assert done.returncode in (0, 1), done.stderr
    ignored = done.stdout.decode().split("\0")[:-1]
    codeowners = CodeOwners.parse(f"{pattern} @a")
    assert [path for path in found if codeowners.owners(path)] == ignored


def is_owned(pattern: str, path: str) -> bool:
    return CodeOwners.parse(f"{pattern} @a\n").owners(path) == ("@a",)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/" + "*a" * 30 + "b", "a" * 400, False),
        ("/" + "*a" * 30 + "b", "a" * 400 + "b", True),
        ("/" + "**/" * 30 + "x", "a/" * 400 + "y", False),
        ("/" + "**/" * 30 + "x", "a/" * 400 + "x", True),
    ],
)
def test_patterns_with_many_stars_take_no_exponential_time(pattern: str, path: str, expected: bool) -> None:
    """With backtracking those that do not match would end after this test's patience, and after anyone's."""
    assert is_owned(pattern, path) is expected


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", min_size=1, max_size=8))
def test_stars_match_as_shells_match_them(pattern: str, name: str) -> None:
    assume(set(pattern) != {"*"})  # `**` is another sign
    assert is_owned(f"/{pattern}", name) is fnmatchcase(name, pattern)
