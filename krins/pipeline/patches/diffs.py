"""The unified diff of two trees, in git's format: `git apply` makes the one of the other.

Invariants: the same trees give the same diff, whoever asks and whatever their git is told; files come by path. A file's
`index` line names its blobs, so that the diff can be told to be of a text, and then its line numbers count
(`krins.pipeline.patches.placing`). Left out: renames, which are a deleted and a new file; modes, which trees lack.

Hunks are git's: difflib takes quadratic time where lines repeat, and an answer chooses what repeats.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from krins.errors import StorageFault, boundary
from krins.pipeline.patches.git import git
from krins.pipeline.patches.placing import blob_name
from krins.pipeline.patches.quoting import quoted
from krins.pipeline.patches.texts import TextLines

_MODE = "100644"
_DIGITS = 10
_OPTIONS = (
    *("--no-index", "--text", "--no-color", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-prefix"),
    *("--diff-algorithm=myers", "--indent-heuristic", "--unified=3", "--inter-hunk-context=0"),
)
_HEADER = b"diff --git before/"


def unified_diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """
    Raises:
        GitMissing: there is no git.
        StorageFault: no temporary file could be written.
    """
    changed = [path for path in sorted(before.keys() & after.keys()) if before[path] != after[path]]
    bodies = _hunks([(before[path], after[path]) for path in changed])
    found = dict(zip(changed, bodies, strict=True))
    for path in after.keys() - before.keys():
        found[path] = _all_lines(after[path], "+")
    for path in before.keys() - after.keys():
        found[path] = _all_lines(before[path], "-")
    return "".join(_of_file(path, before.get(path), after.get(path), found[path]) for path in sorted(found))


def _of_file(path: str, before: str | None, after: str | None, hunks: str) -> str:
    old, new = quoted(f"a/{path}"), quoted(f"b/{path}")
    names = [blob_name(text)[:_DIGITS] if text is not None else "0" * _DIGITS for text in (before, after)]
    index = f"index {names[0]}..{names[1]}"
    lines = [f"diff --git {old} {new}"]
    if before is None:
        lines += [f"new file mode {_MODE}", index]
    elif after is None:
        lines += [f"deleted file mode {_MODE}", index]
    else:
        lines += [f"{index} {_MODE}"]
    if hunks:
        # As git does, a tab ends a name with a blank, lest a time be read out of it.
        lines += ["--- " + ("/dev/null" if before is None else old + "\t" * (" " in old))]
        lines += ["+++ " + ("/dev/null" if after is None else new + "\t" * (" " in new))]
    return "\n".join(lines) + "\n" + hunks


def _all_lines(text: str, mark: str) -> str:
    """The one hunk of a file that is new or deleted."""
    found = TextLines.of(text)
    if not found.lines:
        return ""
    n_lines = len(found.lines)
    lengths = f"1,{n_lines}" if n_lines > 1 else "1"
    header = f"@@ -0,0 +{lengths} @@" if mark == "+" else f"@@ -{lengths} +0,0 @@"
    end = "" if found.ends_in_newline else "\\ No newline at end of file\n"
    return "".join(f"{line}\n" for line in [header, *(mark + line for line in found.lines)]) + end


def _hunks(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The hunks between the two texts of each pair, which differ."""
    if not pairs:
        return []
    with (
        boundary(StorageFault, "a diff's files cannot be written", "look whether the disk is full", catch=OSError),
        tempfile.TemporaryDirectory(prefix="krins-diff-") as name,
    ):
        folder = Path(name)
        for side, at in (("before", 0), ("after", 1)):
            (folder / side).mkdir()
            for number, pair in enumerate(pairs):
                (folder / side / str(number)).write_bytes(pair[at].encode())
        printed = git(folder, "diff", *_OPTIONS, "before", "after")
    hunks: dict[int, list[bytes]] = {}
    for line in printed.split(b"\n")[:-1]:
        if line.startswith(_HEADER):  # no line of a hunk does
            current = hunks[int(line.removeprefix(_HEADER).partition(b" ")[0])] = []
        elif current or line.startswith(b"@@"):
            # Behind the numbers stands the line that a function begins with, cut off without regard for UTF-8.
            current.append(line.decode(errors="ignore").encode() if line.startswith(b"@@") else line)
    return ["".join(f"{line.decode()}\n" for line in hunks[number]) for number in range(len(pairs))]
