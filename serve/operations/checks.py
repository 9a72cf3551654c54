"""What is looked at for /health, each with its figures.

Invariant: no check blocks the event loop; no figure names a path, a host or a key, for /health is open to everybody.
Left out: how often, and what follows (`serve.operations.health`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from serve.operations.health import Check, PartHealth
from serve.security.ray_guard import RayExposure

DISK_FLOOR_BYTES = 64 * 2**20
_DISK_FLOOR_SHARE = 0.05
"""With less than the lesser of them free, nothing new is taken in: what is under way must still find its place."""
_PROBE_SECONDS = 2.0
_PROBE_BYTES = b"x" * 4096
_MEMORY_FLOOR_SHARE = 0.05
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def disk(folder: Path, tell_free: Callable[[int], None], floor_bytes: int = DISK_FLOOR_BYTES) -> Check:
    """Free space where state lives, asked of the file system twice a second.

    Args:
        tell_free: is told the bytes that are free, for the meters.
    """

    async def look() -> PartHealth:
        found = os.statvfs(folder)  # of a local disk: microseconds
        free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        tell_free(free)
        floor = min(floor_bytes, int(_DISK_FLOOR_SHARE * total))
        figures = {"free_bytes": free, "floor_bytes": floor, "total_bytes": total}
        if free < floor:
            return PartHealth(status="failed", message=f"the disk is full: {free:,} bytes are free", figures=figures)
        return PartHealth(status="ok", figures=figures)

    return Check("disk", look, is_required=True)


def store(folder: Path) -> Check:
    """Whether a file can be written and synced, and how long that takes."""

    def write() -> float:
        began = time.perf_counter()
        path = folder / f".probe-{os.getpid()}"
        try:
            with path.open("wb", buffering=0) as file:
                file.write(_PROBE_BYTES)
                os.fsync(file.fileno())
        finally:
            path.unlink(missing_ok=True)
        return time.perf_counter() - began

    async def look() -> PartHealth:
        try:
            seconds = await asyncio.to_thread(write)
        except OSError as failure:
            return PartHealth(status="failed", message=f"cannot be written: {failure.strerror}")
        return PartHealth(status="ok", figures={"write_and_sync_seconds": round(seconds, 6)})

    return Check("store", look, is_required=True, every_seconds=_PROBE_SECONDS, timeout_seconds=30.0)


def memory() -> Check:
    """What this process holds, and what the machine has left."""

    async def look() -> PartHealth:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
        machine = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines()[:3])
        total, available = (int(machine[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
        figures = {"resident_bytes": resident, "available_bytes": available, "total_bytes": total}
        if available < _MEMORY_FLOOR_SHARE * total:
            return PartHealth(status="degraded", message="the machine is short of memory", figures=figures)
        return PartHealth(status="ok", figures=figures)

    return Check("memory", look, every_seconds=5.0)


def peer(name: str, ask: Callable[[], Awaitable[Mapping[str, Any]]], every_seconds: float = 1.0) -> Check:
    """A part that answers with figures, such as the learner or the keeper; an error, or no answer, is a failure.

    Args:
        ask: its figures; `status` and `message` among them are its own word on how it is.
    """

    async def look() -> PartHealth:
        figures = dict(await ask())
        status, message = figures.pop("status", "ok"), figures.pop("message", "")
        return PartHealth(status=status, message=message, figures=figures)

    return Check(name, look, is_required=True, every_seconds=every_seconds)


def reported(name: str, figures_of: Callable[[], PartHealth], every_seconds: float = 1.0) -> Check:
    """A part of this process that is never in the way of requests: breakers, registry, key file."""

    async def look() -> PartHealth:
        return figures_of()

    return Check(name, look, every_seconds=every_seconds)


def breakers(state_of: Callable[[], Mapping[str, str]]) -> Check:
    """
    Args:
        state_of: `closed`, `half-open` or `open` of each endpoint.
    """

    def look() -> PartHealth:
        states = state_of()
        is_open = [name for name, state in states.items() if state != "closed"]
        if is_open:
            message = f"{len(is_open)} of {len(states)} endpoints are left alone for now"
            return PartHealth(status="degraded", message=message, figures=states)
        return PartHealth(status="ok", figures=states)

    return reported("breakers", look)


def ray_exposure(found: RayExposure) -> Check:
    """What was found when the replica started; which ports is not told to everybody."""

    def look() -> PartHealth:
        # Never `failed` to those who ask: a service that may run at all (`require_safe_ray`) is not stopped by this.
        status = "ok" if found.status == "ok" else "degraded"
        return PartHealth(status=status, message="" if status == "ok" else found.message)

    return reported("ray", look, every_seconds=60.0)
