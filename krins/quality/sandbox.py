"""Chooses what keeps untrusted code in: the strongest sandbox that works on this machine.

Invariant: a sandbox counts as working only after it has run a program. Going without one takes an explicit leave.
Left out: the sandboxes themselves, each in its own module; use one of them directly to have that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from krins.errors import SandboxFault, SandboxMissing
from krins.interfaces import Limits, Sandbox
from krins.quality.bubblewrap import Bubblewrap
from krins.quality.interpreter import interpreter
from krins.quality.unsafe import Unsafe
from krins.quality.unshare import Unshare

_PROBE_SECONDS = 10.0


def choose_sandbox(allow_unsafe: bool, among: Sequence[Sandbox] | None = None) -> Sandbox:
    """The first of `among` (default: Bubblewrap, Unshare) that works here, else, with leave, Unsafe.

    Raises:
        SandboxMissing: none works here, and there is no leave to go without; the message says why each failed.
    """
    reasons = []
    for sandbox in (Bubblewrap(), Unshare()) if among is None else among:
        reason = why_not(sandbox)
        if not reason:
            return sandbox
        reasons.append(f"{sandbox.name}: {reason}")
    if allow_unsafe:
        return Unsafe()
    raise SandboxMissing(
        f"no sandbox works on this machine ({'; '.join(reasons)})",
        "install bubblewrap and allow user namespaces, or pass --unsafe-local to run untrusted code without a sandbox",
    )


def why_not(sandbox: Sandbox) -> str:
    """Why `sandbox` does not work here; empty if it does. Runs one small program in it."""
    command = [*interpreter().command, "-c", "print('works')"]
    try:
        with closing(sandbox.start(command, {}, Limits(wall_seconds=_PROBE_SECONDS))) as process:
            if process.stdout.read() == b"works\n":
                return ""
            process.wait(_PROBE_SECONDS)
            return process.stderr_tail().strip() or "it ran nothing"
    except SandboxFault as fault:
        return fault.message
