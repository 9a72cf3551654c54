"""Whether strangers can reach Ray itself, which runs any code for whoever does.

Ray's ports (GCS, raylet, dashboard, client) were made for trusted networks: without its token authentication, whoever
reaches one runs what he likes (ShadowRay, CVE-2023-48022), and a browser on the machine is enough to reach loopback
(CVE-2025-62593, mended in Ray 2.52). So the ports are looked up as they are, in /proc, and judged:

| | only loopback is listened on | other addresses too |
|---|---|---|
| `RAY_AUTH_MODE=token`, token file private | ok | ok |
| token file that others can read | degraded | failed |
| no token authentication | degraded | failed |

Invariant: `require_safe_ray` refuses to serve off loopback where this says failed; on loopback it is told in /health.
Ray makes the token file readable by all that the umask allows: `chmod 600` it. Left out: locking Ray (its own options,
serve/deploy/README.md), and Ray's nodes on other machines.
"""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from krins.errors import UserError
from serve.security.guard import is_loopback

_LISTENING = "0A"
_OF_RAY = ("gcs_server", "raylet", "ray::", "ray/dashboard/", "ray/_private/", "ray.util.client.server")


class RayExposure(NamedTuple):
    """What was found."""

    has_token: bool
    """Ray asks for a token."""
    is_token_private: bool
    """Nobody else may read the file that it stands in."""
    beyond_loopback: tuple[str, ...]
    """Addresses, with ports, that Ray listens on besides loopback; at most 20."""

    @property
    def status(self) -> Literal["ok", "degraded", "failed"]:
        if self.has_token and self.is_token_private:
            return "ok"
        return "failed" if self.beyond_loopback else "degraded"

    @property
    def message(self) -> str:
        ports = f"{len(self.beyond_loopback)} ports beyond loopback" if self.beyond_loopback else "loopback only"
        token = "asks for a token" if self.has_token else "asks for no token"
        private = "" if self.is_token_private or not self.has_token else ", which others can read"
        return f"Ray listens on {ports} and {token}{private}"


def observe_ray(environ: Mapping[str, str], proc: Path = Path("/proc")) -> RayExposure:
    """Look at the processes of Ray on this machine, as far as this user may see them.

    Args:
        environ: this process'; Ray hands RAY_AUTH_MODE on to all of a cluster.
    """
    inodes = {inode for process in _processes_of_ray(proc) for inode in _socket_inodes(process)}
    beyond = (address for address in _listening(proc, inodes) if not is_loopback(address.rpartition(":")[0]))
    return RayExposure(
        has_token=environ.get("RAY_AUTH_MODE", "").lower() == "token",
        is_token_private=_is_private(environ),
        beyond_loopback=tuple(sorted(set(beyond))[:20]),
    )


def require_safe_ray(host: str, exposure: RayExposure) -> None:
    """
    Raises:
        UserError: the service would listen off loopback while anybody may have Ray run his code.
    """
    if not is_loopback(host) and exposure.status == "failed":
        raise UserError(
            f"{host} is not loopback, and {exposure.message} ({', '.join(exposure.beyond_loopback[:3])} ...)",
            "start Ray with RAY_AUTH_MODE=token and `chmod 600` its token file; see serve/deploy/README.md",
        )


def _is_private(environ: Mapping[str, str]) -> bool:
    if environ.get("RAY_AUTH_TOKEN"):
        return True  # in the environment, which other users cannot read
    path = Path(environ.get("RAY_AUTH_TOKEN_PATH") or Path(environ.get("HOME", "/")) / ".ray" / "auth_token")
    try:
        return not stat.S_IMODE(path.stat().st_mode) & 0o077
    except OSError:
        return False


def _processes_of_ray(proc: Path) -> Iterator[Path]:
    for process in proc.glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if any(part in command for part in _OF_RAY):
            yield process


def _socket_inodes(process: Path) -> Iterator[str]:
    try:
        for descriptor in (process / "fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                yield target[8:-1]
    except OSError:
        return  # it ended, or is another user's


def _listening(proc: Path, inodes: Iterable[str]) -> Iterator[str]:
    """`address:port` of the sockets that listen; the columns are those of proc(5), /proc/net/tcp."""
    wanted = frozenset(inodes)
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTENING and fields[9] in wanted:
                address, _, port = fields[1].partition(":")
                yield f"{_address(address)}:{int(port, 16)}"


def _address(hexadecimal: str) -> str:
    """The kernel prints each 32 bits of an address in the machine's byte order: little-endian on all that run Ray."""
    words = bytes.fromhex(hexadecimal)
    address = ipaddress.ip_address(b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4)))
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
