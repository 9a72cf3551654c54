"""Programs beside Python that a task's tests may run inside a sandbox, and the room that they take.

Left out: installing one.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from krins.interfaces import Limits
from krins.quality.system_view import ENVIRONMENT


class Room(NamedTuple):
    """The least limits under which a program starts and does something."""

    memory_bytes: int
    processes: int


ROOM: Mapping[str, Room] = MappingProxyType(
    {
        "bash": Room(0, 0),
        "node": Room(2**30, 32),  # V8 reserves address space that it never uses, and starts a dozen threads
    }
)
"""By the name that a program is called by."""


def is_there(program: str) -> bool:
    """Where sandboxed code would find it."""
    return shutil.which(program, path=ENVIRONMENT["PATH"]) is not None


def with_room(limits: Limits, programs: Collection[str]) -> Limits:
    """`limits`, raised to what `programs` take."""
    rooms = [ROOM[program] for program in programs]
    return limits._replace(
        memory_bytes=max([limits.memory_bytes, *(room.memory_bytes for room in rooms)]),
        processes=max([limits.processes, *(room.processes for room in rooms)]),
    )
