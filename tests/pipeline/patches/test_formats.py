"""Answers as models really write them, and the change that each is."""

from __future__ import annotations

import pytest

from krins.errors import NoPatch, PatchFailed, PatchRefused
from krins.pipeline.patches import change_of

A = "import os\n\n\ndef f(x):\n    return x\n\n\ndef g(x):\n    return f(x)\n"
TREE = {"src/a.py": A, "src/b.py": "B = 1\n", "README.md": "# T\n\nOld.\n"}
A_NEW = A.replace("return x", "return x + 1")

HUNK = "@@ -3,4 +3,4 @@\n \n def f(x):\n-    return x\n+    return x + 1\n \n"
DIFF = f"--- a/src/a.py\n+++ b/src/a.py\n{HUNK}"
BLOCK = "<<<<<<< SEARCH\n    return x\n=======\n    return x + 1\n>>>>>>> REPLACE\n"


def fenced(text: str, info: str = "", fence: str = "```") -> str:
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{fence}{info}\n{text}{end}{fence}\n"


ANSWERS = {
    "diff in a fence": fenced(DIFF, "diff"),
    "diff in prose": f"Here it is.\n\n{fenced(DIFF, 'diff')}\n- It adds one.\n- See `src/a.py`.\n",
    "diff in a fence of another kind": fenced(DIFF, "python"),
    "bare diff": DIFF,
    "bare diff and prose": f"{DIFF}\nThis adds one.\n",
    "without prefixes": fenced(DIFF.replace("a/src", "src").replace("b/src", "src"), "diff"),
    "with ./": fenced(DIFF.replace("a/src", "./src").replace("b/src", "./src"), "diff"),
    "with times": fenced(DIFF.replace("a.py\n", "a.py\t2024-01-01 00:00:00\n"), "diff"),
    "git headers": fenced(f"diff --git a/src/a.py b/src/a.py\nindex 0123456..89abcde 100644\n{DIFF}", "diff"),
    "counts too large": fenced(DIFF.replace("-3,4 +3,4", "-3,9 +3,12"), "diff"),
    "counts too small": fenced(DIFF.replace("-3,4 +3,4", "-3,1 +3,1"), "diff"),
    "wrong line": fenced(DIFF.replace("-3,4 +3,4", "-90,4 +91,4"), "diff"),
    "no numbers": fenced(DIFF.replace("@@ -3,4 +3,4 @@", "@@ ... @@"), "diff"),
    "no hunk header": fenced(DIFF.replace("@@ -3,4 +3,4 @@\n", ""), "diff"),
    "no file header, path above": "### `src/a.py`\n\n" + fenced(HUNK, "diff"),
    "blanks before context lost": fenced(DIFF.replace("\n def f", "\ndef f"), "diff"),
    "empty context lines": fenced(DIFF.replace("\n \n", "\n\n"), "diff"),
    "numbered as in the context": fenced(DIFF.replace(" def f(x):", " 4:def f(x):"), "diff"),
    "one indentation less": fenced(
        DIFF.replace("-    return", "-  return").replace("+    return", "+  return"), "diff"
    ),
    "transport in CRLF": fenced(DIFF, "diff").replace("\n", "\r\n"),
    "search/replace": f"src/a.py\n{BLOCK}",
    "search/replace in a fence": f"src/a.py\n{fenced(BLOCK, 'python')}",
    "search/replace, path in the fence": fenced(f"src/a.py\n{BLOCK}", "python"),
    "search/replace, path in the info string": fenced(BLOCK, "python src/a.py"),
    "search/replace, unindented": f"src/a.py\n{BLOCK.replace('    return', 'return')}",
    "search/replace, numbered": "src/a.py\n"
    + BLOCK.replace("SEARCH\n    ", "SEARCH\n5:    ").replace("==\n    ", "==\n5:    "),
    "search/replace in a list": "1. `src/a.py`\n\n   " + fenced(BLOCK).replace("\n", "\n   ").rstrip(" "),
    "whole file": f"src/a.py\n{fenced(A_NEW, 'python')}",
    "whole file, bold": f"**`src/a.py`**:\n\n{fenced(A_NEW, 'python')}",
    "whole file, heading with a word about it": f"### File: src/a.py (changed)\n\nAdds one.\n\n{fenced(A_NEW, 'py')}",
    "whole file, as the context has it": f"=== src/a.py (9 lines)\n{fenced(A_NEW, 'py')}",
    "whole file, info string": fenced(A_NEW, "python:src/a.py"),
    "whole file, attribute": fenced(A_NEW, 'python title="src/a.py"'),
    "whole file, comment": fenced(f"# src/a.py\n{A_NEW}", "python"),
    "whole file, tildes": f"src/a.py\n{fenced(A_NEW, 'python', '~~~')}",
    "whole file, all numbered": "src/a.py\n"
    + fenced("".join(f"{number}:{line}\n" for number, line in enumerate(A_NEW.splitlines(), 1)), "python"),
    "whole file, numbered": f"src/a.py\n{fenced(A_NEW.replace('def f', '4:def f'), 'python')}",
    "two formats that agree": f"{fenced(DIFF, 'diff')}\nAll of it:\n\nsrc/a.py\n{fenced(A_NEW, 'python')}",
    "commands beside it": f"src/a.py\n{fenced(A_NEW, 'python')}\nThen run:\n\n{fenced('pytest', 'sh')}",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_every_way_to_write_it_is_the_same_change(answer: str) -> None:
    change = change_of(answer, TREE)
    assert change.before == TREE
    assert change.after == {**TREE, "src/a.py": A_NEW}


@pytest.mark.parametrize(
    "answer",
    [
        fenced("--- /dev/null\n+++ b/src/c.py\n@@ -0,0 +1,9 @@\n+C = 1\n+\n+D = 2\n", "diff"),
        fenced("--- a/src/c.py\n+++ b/src/c.py\n@@ -0,0 +1,3 @@\n+C = 1\n+\n+D = 2\n", "diff"),
        "src/c.py\n" + fenced("C = 1\n\nD = 2\n"),
        "src/c.py\n<<<<<<< SEARCH\n=======\nC = 1\n\nD = 2\n>>>>>>> REPLACE\n",
    ],
    ids=["diff", "diff from itself", "whole file", "empty search"],
)
def test_a_new_file(answer: str) -> None:
    assert change_of(answer, TREE).after == {**TREE, "src/c.py": "C = 1\n\nD = 2\n"}


def test_a_new_empty_file_and_one_that_goes() -> None:
    answer = fenced("diff --git a/src/__init__.py b/src/__init__.py\nnew file mode 100644\nindex 0000000..e69de29\n")
    assert change_of(answer, TREE).written == {"src/__init__.py": ""}
    answer = fenced("--- a/src/b.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-B = 1\n", "diff")
    assert change_of(answer, TREE).deleted == ["src/b.py"]
    with pytest.raises(PatchFailed, match=r"src/a\.py: is deleted, but not all of its lines are"):
        change_of(fenced("--- a/src/a.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-import os\n", "diff"), TREE)


def test_a_file_that_moves_and_changes() -> None:
    head = "diff --git a/src/b.py b/src/d.py\nsimilarity index 50%\nrename from src/b.py\nrename to src/d.py\n"
    change = change_of(fenced(f"{head}--- a/src/b.py\n+++ b/src/d.py\n@@ -1 +1 @@\n-B = 1\n+B = 2\n", "diff"), TREE)
    assert (change.deleted, change.written) == (["src/b.py"], {"src/d.py": "B = 2\n"})
    assert change_of(fenced(head, "diff"), TREE).written == {"src/d.py": "B = 1\n"}


def test_several_files_in_several_formats() -> None:
    other = "--- a/src/b.py\n+++ b/src/b.py\n@@ -1 +1 @@\n-B = 1\n+B = 2\n"
    both = {**TREE, "src/a.py": A_NEW, "src/b.py": "B = 2\n"}
    assert change_of(fenced(DIFF.replace("-3,4 +3,4", "-3,1 +3,2") + other, "diff"), TREE).after == both
    assert change_of(fenced(DIFF, "diff") + "\nand\n\n" + fenced(other, "diff"), TREE).after == both
    assert change_of(f"src/a.py\n{BLOCK}\nand\n\n{fenced(other, 'diff')}", TREE).after == both
    assert change_of(f"{fenced(DIFF, 'diff')}\nsrc/b.py\n{fenced('B = 2' + chr(10))}", TREE).after == both


def test_blocks_of_one_file_follow_one_on_another() -> None:
    second = "<<<<<<< SEARCH\n    return x + 1\n=======\n    return x + 2\n>>>>>>> REPLACE\n"
    assert change_of(f"src/a.py\n{BLOCK}\n{second}", TREE).written == {
        "src/a.py": A.replace("return x", "return x + 2")
    }


def test_markdown_with_fences_of_its_own() -> None:
    text = "# T\n\n```sh\nmake\n```\n\nNew.\n"
    nested = text.replace("New", "````\nmore\n````\n\nNew")
    assert change_of("README.md\n" + fenced(text, "markdown", "````"), TREE).written == {"README.md": text}
    assert change_of("README.md\n" + fenced(nested, "markdown", "`````"), TREE).written == {"README.md": nested}
    assert change_of("README.md\n" + fenced(text, "markdown"), TREE).written == {"README.md": text}, "as long a fence"
    with pytest.raises(PatchFailed, match="wrong fence"):
        change_of("README.md\n" + fenced("# T\n\n```\nmake\n```\n\nNew.\n", "markdown"), TREE)


def test_a_diff_of_markdown_has_fences_in_it() -> None:
    tree = {"README.md": "# T\n\n```sh\nmake\n```\n\nOld.\n"}
    body = "--- a/README.md\n+++ b/README.md\n@@ -3,5 +3,5 @@\n ```sh\n-make\n+make all\n ```\n \n Old.\n"
    for answer in (fenced(body, "diff"), body):
        assert change_of(answer, tree).written == {"README.md": tree["README.md"].replace("make", "make all")}


def test_a_diff_may_show_one_end_of_a_fence() -> None:
    tree = {"README.md": "# T\n\n```sh\nmake\n```\n\nOld.\n"}
    body = "--- a/README.md\n+++ b/README.md\n@@ -5,3 +5,3 @@\n ```\n \n-Old.\n+New.\n"
    for answer in (fenced(body, "diff"), body):
        assert change_of(answer, tree).written == {"README.md": tree["README.md"].replace("Old", "New")}


def test_lines_that_look_like_headers() -> None:
    """SQL's comments, removed and added, read as the names of files would."""
    tree = {"q.sql": "SELECT 1;\n-- old note\n-- \nSELECT 2;\n", "b.sql": "x\n"}
    body = "--- a/q.sql\n+++ b/q.sql\n@@ -1,4 +1,4 @@\n SELECT 1;\n--- old note\n+++ new note\n -- \n SELECT 2;\n"
    expected = tree["q.sql"].replace("-- old", "++ new")
    assert change_of(fenced(body, "diff"), tree).written == {"q.sql": expected}
    second = body.replace(" -- \n SELECT 2;\n", "@@ -4 +4 @@\n-SELECT 2;\n+SELECT 3;\n")
    assert change_of(fenced(second, "diff"), tree).written == {"q.sql": expected.replace("2", "3")}
    more = "--- a/b.sql\n+++ b/b.sql\n@@ -1 +1 @@\n-x\n+y\n"
    assert change_of(fenced(body + more, "diff"), tree).written == {"q.sql": expected, "b.sql": "y\n"}


CUT = {
    "diff in a fence": f"```diff\n{DIFF}",
    "bare diff": "--- a/src/a.py\n+++ b/src/a.py\n@@ -3,4 +3,5 @@\n \n def f(x):\n-    return x\n+    return x + 1\n",
    "search": f"src/a.py\n{BLOCK[:25]}",
    "replace": f"src/a.py\n{BLOCK[:60]}",
    "replace in a fence": f"src/a.py\n```python\n{BLOCK[:60]}",
    "second block": f"src/a.py\n{BLOCK}\nsrc/b.py\n<<<<<<< SEARCH\nB = 1\n",
    "whole file": f"src/a.py\n```python\n{A_NEW[:40]}",
    "second file": f"src/a.py\n{fenced(A_NEW, 'python')}\nsrc/b.py\n```python\nB =",
    "second diff": f"{fenced(DIFF, 'diff')}\n```diff\n--- a/src/b.py\n+++ b/src/b.py\n@@ -1 +1 @@\n-B = 1\n",
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT.keys())
def test_what_is_cut_off_is_no_change(answer: str) -> None:
    with pytest.raises(PatchFailed, match="cut off"):
        change_of(answer, TREE)


@pytest.mark.parametrize("answer", [fenced(DIFF, "diff"), f"src/a.py\n{BLOCK}", f"src/a.py\n{fenced(A_NEW, 'python')}"])
def test_an_answer_cut_anywhere_is_no_change(answer: str) -> None:
    for end in range(len(answer.rstrip())):
        with pytest.raises((NoPatch, PatchFailed)):
            change_of(answer[:end], TREE)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I cannot do that.",
        "In `src/a.py`, `f` should add one.",
        f"In `src/a.py` it reads\n\n{fenced('    return x', 'python')}",
        fenced("pytest", "sh"),
        f"Changed:\n- src/a.py\n\n{fenced('pytest', 'sh')}",
        f"src/a.py\n{fenced(A)}",
        fenced("", "diff"),
    ],
)
def test_an_answer_without_a_change(answer: str) -> None:
    with pytest.raises(NoPatch):
        change_of(answer, TREE)


FAILED = {
    "another file": (fenced(DIFF.replace("a.py", "z.py"), "diff"), r"src/z\.py: there is no such file"),
    "no such line": (fenced(DIFF.replace("def f(x)", "def f(y)"), "diff"), r"src/a\.py: hunk 1 .* 'def f\(y\):'"),
    "no file": (fenced(HUNK, "diff"), "names no file"),
    "two names": (fenced(DIFF.replace("+++ b/src/a", "+++ b/src/z"), "diff"), "does not say that it moves"),
    "there already": (fenced("--- /dev/null\n+++ b/src/b.py\n@@ -0,0 +1 @@\n+C\n", "diff"), "is there already"),
    "two hunks, second wrong": (fenced(DIFF + "@@ -8,2 +8,2 @@\n def h(x):\n-    pass\n", "diff"), "hunk 2 .*'def h"),
    "a line twice": (fenced(DIFF + HUNK, "diff"), "hunk 1 .* and hunk 2 .* both change line 5"),
    "no context": (fenced("--- a/src/a.py\n+++ b/src/a.py\n@@ -3,0 +4 @@\n+x\n", "diff"), "shows no line"),
    "binary": (fenced("diff --git a/x b/x\nGIT binary patch\n", "diff"), "'GIT binary patch' cannot be read"),
    "a copy": (fenced("diff --git a/x b/y\ncopy from x\ncopy to y\n", "diff"), "cannot be read"),
    "two dividers": (f"src/a.py\n{BLOCK.replace('x + 1', 'x' + chr(10) + '=======')}", "2 lines '======='"),
    "rest left out": (
        f"src/a.py\n{fenced('import os' + chr(10) + '# ... rest of the code ...' + chr(10))}",
        "whole file",
    ),
    "written twice": (f"src/b.py\n{fenced('B = 2')}\nsrc/b.py\n{fenced('B = 3')}", "twice"),
    "formats that differ": (f"{fenced(DIFF, 'diff')}\nsrc/a.py\n{fenced('A = 1')}", "two formats"),
    "half a character": ("\ud800", "surrogates not allowed"),
}


@pytest.mark.parametrize(("answer", "message"), [*FAILED.values()], ids=[*FAILED])
def test_what_does_not_apply_says_which_and_why(answer: str, message: str) -> None:
    with pytest.raises(PatchFailed, match=message):
        change_of(answer, TREE)


@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_links_and_submodules_are_refused(mode: str) -> None:
    head = f"diff --git a/l b/l\nnew file mode {mode}\nindex 0000000..1234567\n"
    with pytest.raises(PatchRefused, match=mode):
        change_of(fenced(f"{head}--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n", "diff"), TREE)


@pytest.mark.parametrize(
    "line", ["new file mode 120000 ", "new file mode  120000", "old mode 100644\nnew mode 120000\t"]
)
def test_blanks_do_not_hide_a_link(line: str) -> None:
    head = f"diff --git a/l b/l\n{line}\nindex 0000000..1234567\n"
    with pytest.raises(PatchRefused, match="120000"):
        change_of(fenced(f"{head}--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n", "diff"), TREE)


HEADERS = ["rename from", "rename to", "rename ", "copy from", "copy to", "similarity index", "dissimilarity index"]
MODES = ["new file mode", "old mode", "new mode", "index"]


@pytest.mark.parametrize("end", ["", " ", '  ""'])
@pytest.mark.parametrize("header", [*HEADERS, *MODES])
def test_a_header_without_its_value_is_no_crash(header: str, end: str) -> None:
    answer = fenced(f"diff --git a/src/b.py b/src/c.py\n{header}{end}\n", "diff")
    with pytest.raises((PatchFailed, NoPatch)):
        change_of(answer, TREE)
    gone = f"diff --git a/src/b.py b/src/b.py\ndeleted file mode{end}\n"
    assert change_of(fenced(gone, "diff"), TREE).deleted == ["src/b.py"]


def test_a_move_names_both_files() -> None:
    head = "diff --git a/src/b.py b/src/c.py\n"
    with pytest.raises(PatchFailed, match="'rename to' is missing or names none"):
        change_of(fenced(f"{head}rename from src/b.py\n", "diff"), TREE)
    with pytest.raises(PatchFailed, match="'rename from' is missing or names none"):
        change_of(fenced(f"{head}rename from\nrename to src/c.py\n", "diff"), TREE)


LEFT_OUT = [
    *("# rest of the file stays the same", "# The rest of the file remains unchanged.", "# same as before"),
    *(
        "# (other functions unchanged)",
        "# omitted for brevity",
        "# ...",
        "// ...",
        "# \u2026",
        "/* ... */",
        "<!-- ... -->",
    ),
    *(
        "# ... other code ...",
        "# ... existing code",
        "    # ... keep existing ...",
        "# [unchanged]",
        "# Rest of your code here",
    ),
    *("# remaining functions as before", "# --- rest of file unchanged ---", "{/* ... rest of the component ... */}"),
]


@pytest.mark.parametrize("comment", LEFT_OUT)
def test_a_comment_that_stands_for_lines_is_not_the_whole_file(comment: str) -> None:
    answer = f"src/a.py\n{fenced(f'import sys{chr(10)}{comment}', 'python')}"
    with pytest.raises(PatchFailed, match="is not the whole file"):
        change_of(answer, TREE)
    known = {**TREE, "src/a.py": f"import os\n{comment}\n"}
    assert change_of(answer, known).written == {"src/a.py": f"import sys\n{comment}\n"}


@pytest.mark.parametrize(
    "comment",
    [
        *("# Loading the rest of the page...", "# ... and keep the existing order", "# The existing order is kept."),
        *(
            "# Other functions",
            "# unchanged",
            "# the same",
            "# ---",
            "#",
            "# Rows stay as before if x is 0.",
            "x[...] = 0",
        ),
    ],
)
def test_a_comment_that_says_something_is_a_line_like_others(comment: str) -> None:
    answer = f"src/a.py\n{fenced(f'import sys{chr(10)}{comment}', 'python')}"
    assert change_of(answer, TREE).written == {"src/a.py": f"import sys\n{comment}\n"}


BEFORE = "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    "answer",
    [
        f"### src/a.py\n\nBefore:\n{fenced(BEFORE, 'python')}After:\n{fenced('def f(y):', 'python')}",
        f"### src/a.py\n\nBefore:\n{fenced('    return x', 'python')}After:\n{fenced('    return y', 'python')}",
        f"**src/a.py**\n{fenced(BEFORE, 'python')}becomes\n{fenced(BEFORE.replace('return x', 'return 1'), 'python')}",
    ],
)
def test_of_several_blocks_for_one_file_none_is_taken(answer: str) -> None:
    with pytest.raises(PatchFailed, match=r"src/a\.py: several code blocks may be it"):
        change_of(answer, TREE)


def test_a_block_that_shows_how_to_use_a_file_is_none_of_it() -> None:
    usage = fenced("from src.a import f\nprint(f(1))", "python")
    for head in ("### src/a.py\n\nAdds one:\n", "src/a.py\n"):
        assert change_of(f"{head}{fenced(A_NEW, 'python')}Then:\n{usage}", TREE).written == {"src/a.py": A_NEW}


def test_numbered_lines_are_bare_or_refused() -> None:
    """A file whose own lines are numbered keeps its numbers."""
    block = "src/a.py\n<<<<<<< SEARCH\n4:def f(x):\n5:    return x\n=======\n{}>>>>>>> REPLACE\n"
    new = A.replace("    return x\n", "    y = x\n    return y\n")
    for lines in ("4:def f(x):\n5:    y = x\n6:    return y\n", "4:def f(x):\n5:    y = x\n    return y\n"):
        assert change_of(block.format(lines), TREE).written == {"src/a.py": new}
    numbered = {"n.txt": "1:a\n2:b\n"}
    assert change_of(f"n.txt\n{fenced('1:c' + chr(10) + '2:d')}", numbered).written == {"n.txt": "1:c\n2:d\n"}
    with pytest.raises(PatchFailed, match=r"src/b\.py: its lines are numbered"):
        change_of(f"src/b.py\n{fenced('1:C = 1' + chr(10) + '2:D = 1')}", TREE)


CODE = "def f(x):\n    return x + 1\n"


@pytest.mark.parametrize(
    "answer",
    [
        fenced(CODE, "python"),
        f"Sure! Here it is:\n\n{fenced(CODE, 'py')}\nIt adds one.",
        fenced(CODE, "", "~~~"),
        f"{CODE}```",
        CODE,
        f"{fenced('pip install x', 'sh')}\n{fenced(CODE, 'python')}",
        f"{fenced(CODE, 'python')}\n{fenced('print(f(1))', 'python')}",
        f"{fenced(CODE, 'python')}\n{fenced('y = f(1)', 'python')}",
        f"solution.py\n{fenced(CODE, 'python')}",
        f"wrong_name.py\n{fenced(CODE, 'python')}",
        "1. First:\n\n   " + fenced(CODE, "python").replace("\n", "\n   "),
    ],
    ids=[
        *("fence", "prose", "tildes", "unopened", "bare", "second block", "usage after", "usage that assigns"),
        *("named", "named wrongly", "in a list"),
    ],
)
def test_one_block_is_the_file_that_the_task_says(answer: str) -> None:
    assert change_of(answer, {}, "solution.py").after == {"solution.py": CODE}


def test_of_two_blocks_that_may_be_the_file_none_is() -> None:
    with pytest.raises(PatchFailed, match=r"2 code blocks may be solution\.py"):
        change_of(fenced(CODE, "python") + "or\n" + fenced(CODE.replace("1", "2"), "python"), {}, "solution.py")


def test_ends_of_lines_and_of_the_file_stay() -> None:
    crlf = A.replace("\n", "\r\n")
    for answer in (ANSWERS["diff in a fence"], ANSWERS["search/replace"], ANSWERS["whole file"]):
        assert change_of(answer, {"src/a.py": crlf}).written == {"src/a.py": A_NEW.replace("\n", "\r\n")}
    bare = change_of("b.py\n<<<<<<< SEARCH\nB = 1\n=======\nB = 2\n>>>>>>> REPLACE\n", {"b.py": "A = 0\nB = 1"})
    assert bare.written == {"b.py": "A = 0\nB = 2"}
    said = "--- a/b.py\n+++ b/b.py\n@@ -1 +1,2 @@\n-B = 1\n\\ No newline at end of file\n+B = 1\n+C = 2\n"
    assert change_of(fenced(said, "diff"), {"b.py": "B = 1"}).written == {"b.py": "B = 1\nC = 2\n"}
