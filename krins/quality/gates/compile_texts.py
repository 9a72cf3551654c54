"""Has compilers look at texts inside a sandbox, without running any of them.

`texts.json` holds `[path, compiler, text]` each. What the parent reads, one JSON array a line: `["ready"]`, then for
each text `[path, [[line, message], ...]]`, or `[path, null]` where its compiler is missing or cannot tell.

Invariant: nothing of a text is executed. Left out: what a language's type checker would say.

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import warnings

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from typing import TypeAlias

    Found: TypeAlias = list[tuple[int, str]]

FILE = "texts.json"
_DISK = os.environ.get("TMPDIR", "/tmp")
_LINE = re.compile(r":(?: line)? ?(\d+)(?::|$)", re.MULTILINE)
_MESSAGE = re.compile(r"^SyntaxError: .*|(?<=\d: ).*", re.MULTILINE)
"""Node names it on a line of its own, shells behind file and line."""


def python(text: str) -> Found | None:
    """Of a text as Python reads it from a file: a byte order mark before it is none of its own."""
    try:
        compile(text[1:] if text.startswith("\ufeff") else text, "text", "exec", dont_inherit=True)
    except SyntaxError as error:
        return [(error.lineno or 1, error.msg)]
    except (ValueError, RecursionError, MemoryError) as error:
        return [(1, f"it cannot be compiled: {str(error) or type(error).__name__}")]
    return []


def shell(text: str, program: str) -> Found | None:
    return _checked([program, "-n"], text, "sh")


def node(text: str, suffix: str) -> Found | None:
    """A `.js` may be a module or a script: it is wrong where it is neither. JSX is not Node's to judge."""
    errors: Found | None = None
    for name in ("cjs", "mjs") if suffix == "js" else (suffix,):
        errors = _checked(["node", "--check"], text, name)
        if not errors:
            return errors
    return None if suffix == "js" and errors and "Unexpected token '<'" in errors[0][1] else errors


def _checked(command: list[str], text: str, suffix: str) -> Found | None:
    if shutil.which(command[0]) is None:
        return None
    place = f"{_DISK}/text.{suffix}"
    with open(place, "w", encoding="utf-8", errors="replace", newline="") as file:  # noqa: PTH123
        file.write(text)
    done = subprocess.run([*command, place], stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode == 0:
        return []
    said = done.stderr.decode("utf-8", "replace")
    line, message = _LINE.search(said), _MESSAGE.search(said)
    return [(int(line.group(1)) if line else 1, message.group() if message else said[-300:])]


def errors_of(compiler: str, text: str) -> Found | None:
    """`compiler` is `python`, `sh`, `bash`, or `node` and a suffix."""
    if compiler == "python":
        return python(text)
    program, _, suffix = compiler.partition(" ")
    return node(text, suffix) if program == "node" else shell(text, program)


def main() -> None:
    warnings.simplefilter("ignore")
    with open(FILE, encoding="utf-8") as file:  # noqa: PTH123 -- pathlib is slow to import
        texts = json.load(file)
    print(json.dumps(["ready"]), flush=True)
    for path, compiler, text in texts:
        print(json.dumps([path, errors_of(compiler, text)]), flush=True)


if __name__ == "__main__":
    main()
