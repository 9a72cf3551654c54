"""Who sandboxed code is on the host: never root.

Invariant: a root caller gets a user id that nothing else on the machine uses and that no second sandbox shares, so
that RLIMIT_NPROC counts one sandbox alone and a file left behind belongs to nobody.
Left out: an ordinary caller, who keeps his own id on the host; there the sandbox is a user namespace of his, and
Linux 5.14 or newer counts RLIMIT_NPROC within it.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

NOBODY = 65534


def unshared_uid() -> int | None:
    """A random user id for one sandbox of a root caller, or None where this process cannot become another user."""
    return uid_within(Path("/proc/self/uid_map").read_text()) if os.geteuid() == 0 else None


def uid_within(uid_map: str) -> int | None:
    """A random user id from the upper half of the largest range of `uid_map`; None if that holds root alone.

    `uid_map` is the text of /proc/PID/uid_map: lines of first id inside, first id outside, and count. The upper half,
    because systemd's table of ids (https://systemd.io/UIDS-GIDS/) gives the ids above 2**31 to no one.
    """
    ranges = [tuple(map(int, line.split())) for line in uid_map.splitlines()]
    first, _, count = max(ranges, key=lambda fields: fields[2])
    return first + count - 1 - secrets.randbelow(count // 2) if count > 1 else None
