"""A module in a process of its own, whose libraries go away with it: what MLflow or SciPy take is not to stay here.

Invariant: the process has ended when its caller goes on, whatever made him go on. Left out: which modules (`registry`,
`questions`).
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import NamedTuple

PATIENCE_SECONDS = 120.0
_ROOT = Path(__file__).parents[2]


class Ended(NamedTuple):
    exit_code: int
    out: str
    err: str


async def run_aside(module: str, *arguments: str) -> Ended:
    """Run `python -m module` with these arguments.

    Raises:
        TimeoutError: it took longer than `PATIENCE_SECONDS`.
    """
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
