"""Runs one file of Python tests in the current folder, and writes a report of what ran.

Arguments: the file's path, and where to write the report, a JSON object: `ran`, the number of tests that came to an
end; `failed` and `skipped`, each an object of test to reason. Functions `test*` of the module run as tests, too;
one that takes parameters counts as skipped, since nobody here can give them.
The exit code is 0 if nothing failed. Without a report, none of it counts.

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import glob
import inspect
import json
import os
import sys
import unittest

_REASON_CHARACTERS = 300
_TOO_MUCH = "it takes parameters, which only its own runner could give"


def load(path: str) -> unittest.TestSuite:
    """The tests of a file. One in a package is imported by its full name, so that its relative imports work."""
    root = os.getcwd()  # noqa: PTH109 -- pathlib is slow to import
    folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100
    top = root if os.path.exists(f"{folder}/__init__.py") else folder  # noqa: PTH110
    sys.path.insert(0, root)
    suite = unittest.TestLoader().discover(folder, glob.escape(name), top)
    module = sys.modules.get(os.path.relpath(f"{folder}/{name}"[: -len(".py")], top).replace(os.sep, "."))
    for function in list(vars(module).values()) if module else []:
        if inspect.isfunction(function) and function.__name__.startswith("test"):
            takes_none = not inspect.signature(function).parameters
            suite.addTest(unittest.FunctionTestCase(function if takes_none else unittest.skip(_TOO_MUCH)(function)))
    return suite


def main(path: str, report: str) -> bool:
    result = unittest.TestResult()
    load(path).run(result)
    failed = {test.id(): _reason(trace) for test, trace in [*result.failures, *result.errors]}
    failed.update({test.id(): "it passes, and is expected not to" for test in result.unexpectedSuccesses})
    skipped = {test.id(): why for test, why in result.skipped}
    with open(report, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump({"ran": result.testsRun - len(skipped), "failed": failed, "skipped": skipped}, file)
    return not failed


def _reason(trace: str) -> str:
    return trace.strip().rpartition("\n")[2][:_REASON_CHARACTERS]


if __name__ == "__main__":
    del sys.path[0]  # the folder of this script, which is no part of the tree
    _, *ours = sys.argv
    del sys.argv[1:]
    sys.exit(not main(*ours))
