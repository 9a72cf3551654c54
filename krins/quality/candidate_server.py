"""Imports and runs a candidate's tree inside its sandbox and answers calls to it, one line each way.

A request is `[operation, arguments]`, an answer `["value", value]` or `["raise", [class names, message]]`; both are
plain data (plain_data.py). The classes are those of the exception, from its own to BaseException. An object that is
not plain data stays here; a number stands for it. The first line, `["ready"]`, is sent before the candidate runs.
A program is run in a copy of the tree of its own, by itself.

Invariant: nothing here is trusted, since the candidate shares this process: all that it can do, even by taking this
server over, is to answer calls.
Left out: the tests, which never come here; and every operator, comparison and conversion, with which a test would send
a value that it expects (remote_object.py). What it passes to a call, uses as an index or assigns does come here.

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import builtins
import importlib
import operator
import os
import sys

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

    from krins.quality import plain_data, tree_files
else:
    sys.path.insert(0, ".")
    import plain_data
    import tree_files

    sys.path.remove(".")

FILE = "tree.json"
_OUTPUT_BYTES = 2**17
"""Of what a program writes, as far as it is passed on."""
_MESSAGE_CHARACTERS = 500
_CLASSES = 20
_ITEMS = "getitem setitem delitem"
_BUILTINS = "getattr setattr delattr len iter next"


class Objects:
    """Objects left behind, each under one number for as long as the candidate runs."""

    def __init__(self) -> None:
        self._objects: list[object] = []
        self._numbers: dict[int, int] = {}

    def refer(self, value: object) -> tuple[int, str]:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return self._numbers[id(value)], str(type(value).__name__)

    def resolve(self, number: int, name: str) -> object:
        return self._objects[number]


class Programs:
    """Runs programs of the tree."""

    def __init__(self, tree: dict[str, str]) -> None:
        self._tree = tree
        self._n_run = 0

    def run(self, command: list[str], stdin: str, files: dict[str, str], keep: list[str]) -> list[object]:
        """Exit code (negative: the signal that ended it), output, errors, and the files `keep` as it left them."""
        import subprocess

        self._n_run += 1
        folder = f"{tree_files.DISK}/run-{self._n_run}"
        tree_files.write({**self._tree, **files}, folder)
        if command[0] == "python":
            command = [sys.executable, "-S", "-B", *command[1:]]
        # To files, since whatever it leaves running could hold a pipe open for ever.
        with open(f"{folder}.out", "w+b") as output, open(f"{folder}.err", "w+b") as errors:  # noqa: PTH123
            with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=output, stderr=errors) as process:
                process.communicate(stdin.encode())
            return [process.returncode, _start(output), _start(errors), {path: _kept(folder, path) for path in keep}]


def _start(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_OUTPUT_BYTES).decode("utf-8", "replace")


def _kept(folder: str, path: str) -> str | None:
    """None where there is no such file."""
    try:
        with open(f"{folder}/{path}", "rb") as file:  # noqa: PTH123 -- pathlib is slow to import
            return _start(file)
    except OSError:
        return None


def _call(function: Callable[..., object], arguments: list[object], named: dict[str, object]) -> object:
    return function(*arguments, **named)


def _enter(value: Any) -> object:
    return type(value).__enter__(value)


def _exit(value: Any) -> object:
    return type(value).__exit__(value, None, None, None)


OPERATIONS: dict[str, Callable[..., object]] = {
    "import": importlib.import_module,
    "call": _call,
    "enter": _enter,
    "exit": _exit,
    **{name: getattr(operator, name) for name in _ITEMS.split()},
    **{name: getattr(builtins, name) for name in _BUILTINS.split()},
}


def describe(failure: BaseException) -> list[object]:
    # What cannot be passed on must not look like a TypeError that a test may expect.
    kinds = (type(failure),) if isinstance(failure, plain_data.NotPlain) else type(failure).__mro__[:_CLASSES]
    names = [str(kind.__name__) for kind in kinds]
    try:
        message = str(failure)[:_MESSAGE_CHARACTERS]
    except BaseException:
        message = "(its message cannot be read)"
    return ["raise", [names, message]]


def answer(line: bytes, objects: Objects) -> bytes:
    """Carry out one request. Whatever the candidate raises, even SystemExit, is an answer."""
    try:
        request: Any = plain_data.loads(line, objects.resolve)
        operation, arguments = request
        return plain_data.dumps(["value", OPERATIONS[operation](*arguments)], objects.refer)
    except BaseException as failure:
        return plain_data.dumps(describe(failure), plain_data.no_references)


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    answers.write(plain_data.dumps(["ready"], plain_data.no_references))
    answers.flush()
    objects = Objects()
    for line in requests:
        answers.write(answer(line, objects))
        answers.flush()


def private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Move standard input and output elsewhere, so that neither a stray `print` nor `input` meets the protocol."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, answers


def main() -> None:
    tree = tree_files.load(FILE)
    tree_files.install(tree)
    OPERATIONS["run"] = Programs(tree).run
    serve(*private_pipes())


if __name__ == "__main__":
    main()
