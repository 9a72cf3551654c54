"""Load a router in a process of its own, which ends: `python -m serve.learning.fetch URI TRACKING_URI HOME`.

MLflow, or the tables of a suite, take 300 MB that a service should not carry about. Invariants: the file appears whole
or not at all; its path is the last line on standard output; what is wrong is told on standard error, and exit code 1.
Left out: when to do this (`registry`).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from krins.errors import KrinsError
from krins.runs.store import published
from serve.learning.loading import load


def main(uri: str, tracking_uri: str, home: str) -> int:
    """An empty `tracking_uri` is the default one."""
    try:
        loaded = load(uri, tracking_uri or None, Path(home))
        folder = Path(home) / "serving" / "champions"
        folder.mkdir(parents=True, exist_ok=True)
        # Labels of suites may hold anything; names that differ must not meet in one file.
        digest = hashlib.sha256(loaded.identity.encode()).hexdigest()[:8]
        name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in loaded.name)[:80]
        path = folder / f"{name}-{loaded.version}-{digest}.json"
        with published(path) as draft:
            draft.write_text(loaded.model_dump_json(), encoding="utf-8")
    except (KrinsError, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
