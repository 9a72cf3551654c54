"""What belongs to one HOME: its actors' names, and the arguments that the service was deployed with last.

Actors outlive replicas and are started anew by Ray with what they began with, so what they should do now stands in a
file. Invariants: services of two homes share nothing, on one Ray cluster or not; the file is that of the replica that
started last, whole, and as of that moment. Left out: what else stands in a home, which is its owners' to know.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from krins.errors import StorageFault, boundary
from krins.runs.store import default_home, published
from serve.settings import ServiceArgs

NAMESPACE = "krins"
"""Of Ray's names."""
SUITE = "suite:"
"""Begins the name of a router that stands in a suite."""


def home_of(args: ServiceArgs) -> Path:
    return (args.home or default_home()).absolute()


def actor_name(part: str, home: Path) -> str:
    """What Ray calls a part of the service that has this home."""
    return f"krins-{part}-{hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:8]}"


def absolute(args: ServiceArgs) -> ServiceArgs:
    """As they are to be understood in an actor, whose current folder is another one."""
    router = args.router
    if router.startswith(SUITE):
        path, _, label = router.removeprefix(SUITE).partition("#")
        router = f"{SUITE}{Path(path).absolute()}#{label}"
    return args.model_copy(update={"home": home_of(args), "router": router})


def keep(args: ServiceArgs) -> None:
    """A replica starts with these (`absolute`) arguments: they are what holds from now on.

    Raises:
        StorageFault: they could not be written.
    """
    if kept(home_of(args)) == args:
        return
    path = _file(home_of(args))
    with boundary(StorageFault, f"{path}: cannot be written", "free some disk space, or mend rights", catch=OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with published(path) as draft:
            draft.write_text(args.model_dump_json(), encoding="utf-8")


def kept(home: Path) -> ServiceArgs | None:
    """None where there are none, or none that this version of krins can read."""
    with suppress(OSError, ValueError):
        return ServiceArgs.model_validate_json(_file(home).read_bytes())
    return None


def _file(home: Path) -> Path:
    return home / "serving" / "arguments.json"
