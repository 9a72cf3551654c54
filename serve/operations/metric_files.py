"""The folder of metrics that the processes of a node share.

A file holds the values of one process and one kind of metric; its name ends in the process' id and start time, so a
process id that is used again is not taken for its former owner. Counters of the dead are folded into one file each, for
a sum must not fall when a replica is replaced; their gauges are deleted. Invariants: files are allocated whole before
they are mapped, since a write to a mapped hole on a full disk kills the process with SIGBUS; reading and folding hold
a lock, so nothing is counted twice or missing while the dead are folded. A process killed in the instant between
publishing a folded file and deleting what was folded leaves its own counters counted twice.
Left out: what is counted (`serve.operations.meters`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from krins.errors import StorageFault, boundary

_SIZES = {"counter": 2**18, "histogram": 2**19}
"""In bytes: room for about 1,700 and 3,400 values."""
_GAUGE_MODES = ("livesum", "livemax", "livemin", "livemostrecent")
_GAUGE_SIZE = 2**16
_DEAD = "dead"
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class MetricFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / "lock", thread_local=False)

    def claim(self) -> None:
        """Make this process count in the folder; before its first metric is made.

        Raises:
            StorageFault: the folder cannot be written, or its disk is full.
        """
        remedy = "free some disk space or choose another folder"
        with boundary(StorageFault, f"{self._folder}: cannot keep metrics", remedy, catch=OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            pid, me = os.getpid(), process_name(os.getpid())
            for kind, size in _SIZES.items():
                _allocate(self._folder / f"{kind}_{me}.db", size)
            for mode in _GAUGE_MODES:
                _allocate(self._folder / f"gauge_{mode}_{me}.db", _GAUGE_SIZE)
        os.environ[_VARIABLE] = str(self._folder)
        from prometheus_client import values as library

        # The library's own way to name processes otherwise than by their ids alone.
        values: Any = library  # parts of it are not annotated
        values.ValueClass = values.MultiProcessValue(
            lambda: me if os.getpid() == pid else process_name(os.getpid())  # asked at every count
        )

    def exposition(self) -> bytes:
        """The text format, of the living and the dead."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        with self._lock:
            self._fold()
            registry = CollectorRegistry()
            collector: Any = MultiProcessCollector
            collector(registry, str(self._folder))
            return generate_latest(registry)

    def _fold(self) -> None:
        for path in self._folder.glob("*_*.db"):
            name = path.stem.rpartition("_")[2]
            if name == _DEAD or _is_alive(name):
                continue
            if path.name.startswith("gauge_"):
                path.unlink()
            else:
                self._add_to_dead(path)

    def _add_to_dead(self, path: Path) -> None:
        from prometheus_client.mmap_dict import MmapedDict

        values_file: Any = MmapedDict

        total = path.with_name(f"{path.stem.partition('_')[0]}_{_DEAD}.db")
        sums: dict[str, float] = {}
        for source in (total, path):
            if source.exists():
                for key, value, *_ in values_file.read_all_values_from_file(str(source)):
                    sums[key] = sums.get(key, 0.0) + value
        draft = total.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        _allocate(draft, total.stat().st_size if total.exists() else path.stat().st_size)
        merged = values_file(str(draft))
        for key, value in sums.items():
            merged.write_value(key, value, 0.0)
        merged.close()
        draft.replace(total)
        path.unlink()


def process_name(pid: int) -> str:
    """The process' id and its start in clock ticks since boot; without underscores, which the library splits at."""
    started = _start_ticks(pid)
    return f"{pid}-{started if started is not None else 0}"


def _is_alive(name: str) -> bool:
    pid, _, started = name.partition("-")
    return pid.isdigit() and str(_start_ticks(int(pid)) or 0) == started


def _start_ticks(pid: int) -> int | None:
    """None: no such process. Field 22 of proc(5)'s stat; 0 where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def _allocate(path: Path, size: int) -> None:
    """Zeros that have their place on the disk: what the library takes for a new file."""
    with path.open("ab") as file:
        if file.tell() == 0:
            os.posix_fallocate(file.fileno(), 0, size)
