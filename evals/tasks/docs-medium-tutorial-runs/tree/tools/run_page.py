"""Runs the examples of a page; see docs/README.md."""

import contextlib
import io
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def faults(page):
    """What is wrong with a page's examples, one line each. Stops at the first that fails."""
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    known, found = {"__name__": "__main__"}, []
    for place, (kind, code) in enumerate(blocks):
        if kind != "python":
            continue
        shown = blocks[place + 1][1] if place + 1 < len(blocks) and blocks[place + 1][0] == "text" else ""
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(code, known)
        except Exception as failure:
            return [*found, f"block {place + 1} fails: {failure!r}"]
        if printed.getvalue() != shown:
            found.append(f"block {place + 1} prints {printed.getvalue()!r}")
    return found


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    problems = faults(ROOT / sys.argv[1])
    print("\n".join(problems))
    sys.exit(bool(problems))
