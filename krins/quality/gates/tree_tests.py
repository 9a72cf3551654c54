"""Runs the test files of a tree inside a sandbox, one after the other, and reports what their runners report.

`tree.json` holds the tree, `tests.json` `[path, kind]` each (kinds.py). What the parent reads, one JSON array a line:
`["ready"]`, then for each file `[path, exit code, report, output]`: the report is null where the runner wrote none, and
the exit code null where the runner is missing or the tree cannot be written.

Invariant: each file runs in a process of its own, whose output and report go to files, never into this one's output.
Left out: any protection from the tests: they share this sandbox and its user.

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from typing import IO

    from krins.quality import tree_files
else:
    sys.path.insert(0, ".")
    import tree_files

    sys.path.remove(".")

TREE, TESTS = "tree.json", "tests.json"
_REPORT_BYTES = 2**18
_OUTPUT_BYTES = 2000
_TAP = ["--test-reporter=tap", "--test-reporter-destination"]


def command_of(kind: str, path: str, report: str, script: str) -> list[str]:
    if kind == "python":
        return [sys.executable, "-S", "-B", "-s", script, path, report]
    if kind == "node":
        return ["node", "--test", *_TAP, report, f"./{path}"]
    with open(path, "rb") as file:  # noqa: PTH123 -- pathlib is slow to import
        return ["bash" if b"bash" in file.readline() else "sh", f"./{path}"]


def run(number: int, path: str, kind: str, script: str) -> list[object]:
    report, printed = f"{tree_files.DISK}/report-{number}", f"{tree_files.DISK}/printed-{number}"
    command = command_of(kind, path, report, script)
    if shutil.which(command[0]) is None:
        return [path, None, None, f"{command[0]} is missing"]
    # To a file, since whatever a test leaves running could hold a pipe open for ever.
    with open(printed, "w+b") as output:  # noqa: PTH123
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        output.seek(max(0, output.seek(0, os.SEEK_END) - _OUTPUT_BYTES))
        tail = output.read().decode("utf-8", "replace")
    try:
        with open(report, "rb") as file:  # noqa: PTH123
            return [path, code, file.read(_REPORT_BYTES).decode("utf-8", "replace"), tail]
    except OSError:
        return [path, code, None, tail]


def private_output() -> IO[str]:
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return output


def main() -> None:
    output = private_output()
    script = os.path.abspath("report_unittests.py")  # noqa: PTH100

    def say(row: list[object]) -> None:
        print(json.dumps(row), file=output, flush=True)

    tree = tree_files.load(TREE)
    with open(TESTS, encoding="utf-8") as file:  # noqa: PTH123
        tests = json.load(file)
    say(["ready"])
    for number, (path, kind) in enumerate(tests):
        try:
            if number == 0:
                tree_files.write(tree, tree_files.FOLDER)
                os.chdir(tree_files.FOLDER)
            say(run(number, path, kind, script))
        except (OSError, ValueError) as failure:
            say([path, 1, None, f"the tree cannot be written, or not read: {failure}"])


if __name__ == "__main__":
    main()
