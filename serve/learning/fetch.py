"""Load a router in a process that ends: `python -m serve.learning.fetch URI TRACKING_URI HOME [MODEL ...]`.

MLflow, or the tables of a suite, take 300 MB that a service should not carry about. Invariants: the file appears whole
or not at all; its path is the last line on standard output; what is wrong is told on standard error, and exit code 1,
or `UNASKABLE` for a router with arms that nobody knows how to ask. Left out: when to do this (`registry`).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Container, Iterable
from pathlib import Path

from krins.errors import KrinsError, UserError
from krins.models.catalogue import resolve
from krins.models.providers import check_provider
from krins.routing.state_file import from_json
from krins.runs.store import published
from krins.suite import LiveModel
from serve.learning.loading import load
from serve.learning.registry import UNASKABLE


def main(uri: str, tracking_uri: str, home: str, *stated: str) -> int:
    """An empty `tracking_uri` is the default one; `stated`: models that the service's arguments tell how to ask."""
    try:
        loaded = load(uri, tracking_uri or None, Path(home))
        unknown = list(_unaskable(from_json(loaded.router).arms, stated))
        if unknown:
            message = f"{loaded.identity} has arms that cannot be asked: {'; '.join(unknown)}"
            print(UserError(message, "name each under `models` and deploy again"), file=sys.stderr)
            return UNASKABLE
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


def _unaskable(arms: Iterable[str], stated: Container[str]) -> Iterable[str]:
    """Why, of each arm that neither the service's arguments nor the catalogue tells how to ask."""
    for arm in arms:
        if arm not in stated:
            try:
                check_provider(resolve(LiveModel(name=arm)))
            except UserError as failure:
                yield failure.message


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
