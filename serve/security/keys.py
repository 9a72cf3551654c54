"""API keys: `krins_<key id>_<43 characters of secret>`, kept in one file as hashes.

The secret is 256 random bits, so one SHA-256 is the right hash: nobody can try 2^256 of them, and a slow hash (bcrypt,
Argon2) only helps secrets that people choose, at the price of milliseconds in every request.
Invariants: no key is written anywhere, and it is shown once, by whoever makes it; the file is replaced as a whole,
readable by its owner only, and read again when it has changed, so a revoked key stops working within a second; a key
id that does not exist costs the same time as a wrong secret. A file that cannot be read leaves the former keys in force
and says so (`fault`), for an unreadable disk must not lock everybody out; a file that is gone leaves none.
Left out: what a key may do at a route (`serve.security.guard`), what it may spend (`serve.security.budgets`), and the
commands (`serve.security.key_commands`; `python -m serve.security.keys`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from krins.errors import StorageFault, UserError
from krins.interfaces import Clock
from krins.runs.store import published
from serve.security.strength import weakness
from serve.web import Client, Scope

ADMIN_VARIABLE = "KRINS_ADMIN_KEY"
_ADMIN_ID = "admin"
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).digest()
"""What an unknown key id is compared with."""
_LOOK_SECONDS = 0.5
_MAX_KEY_BYTES = 512


class KeyEntry(BaseModel):
    """What is known of a key; the key itself is not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_id: str = Field(pattern=r"^[a-z0-9]{1,32}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Of the whole key."""
    label: str = ""
    scopes: frozenset[Scope]
    budget_usd: Decimal | None = Field(None, ge=0)
    """In all; None: no limit."""
    requests_per_minute: int | None = Field(None, ge=1)
    created_at_seconds: float = Field(allow_inf_nan=False)
    expires_at_seconds: float | None = Field(None, allow_inf_nan=False)
    """Since the epoch; None: never."""


class KeyFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[KeyEntry, ...] = ()


class Known(NamedTuple):
    """A key that was recognised."""

    client: Client
    entry: KeyEntry | None
    """None for the administrator's key, which comes from the environment and has no limits."""


class KeyRing:
    """The keys of the service, as one replica knows them."""

    def __init__(self, path: Path, admin_key: str | None, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._admin = hashlib.sha256(admin_key.encode()).digest() if admin_key else None
        self._admin_client = Client(_ADMIN_ID, frozenset({Scope.ADMIN}))
        self._known: dict[bytes, tuple[bytes, Known]] = {}
        self._seen: object = ()
        self._next_look_seconds = -1.0
        self.fault: str | None = None
        """Why the file, as it is now, is not in force."""

    @classmethod
    def load(cls, path: Path, environ: Mapping[str, str], clock: Clock) -> KeyRing:
        """
        Raises:
            UserError: KRINS_ADMIN_KEY is weak, or the file is not one of keys.
            StorageFault: the file cannot be read.
        """
        admin_key = environ.get(ADMIN_VARIABLE)
        if admin_key and (why := weakness(admin_key)):
            raise UserError(f"{ADMIN_VARIABLE} is weak: {why}", "make one with `openssl rand -base64 32`")
        ring = cls(path, admin_key, clock)
        ring._adopt(read_keys(path))
        return ring

    @property
    def has_admin(self) -> bool:
        in_force = (known for _, known in self._known.values() if not self._is_over(known))
        return self._admin is not None or any(Scope.ADMIN in known.client.scopes for known in in_force)

    def entries(self) -> Iterable[KeyEntry]:
        return [known.entry for _, known in self._known.values() if known.entry is not None]

    def entry(self, key_id: str) -> KeyEntry | None:
        found = self._known.get(key_id.encode())
        return found[1].entry if found else None

    def find(self, presented: bytes) -> Known | None:
        """Whose key it is; None for what is no key, or none any more."""
        if self._clock.monotonic_seconds() >= self._next_look_seconds:
            self._look()
        if len(presented) > _MAX_KEY_BYTES:
            return None
        digest = hashlib.sha256(presented).digest()
        parts = presented.split(b"_", 2)
        stored, known = self._known.get(parts[1] if len(parts) == 3 else b"", (_NOBODY, None))
        is_right = hmac.compare_digest(digest, stored)
        if hmac.compare_digest(digest, self._admin or _NOBODY):
            return Known(self._admin_client, None)
        if not is_right or known is None or self._is_over(known):
            return None
        return known

    def _is_over(self, known: Known) -> bool:
        expires = known.entry.expires_at_seconds if known.entry else None
        return expires is not None and self._clock.now_seconds() >= expires

    def _look(self) -> None:
        """Take notice of a changed file."""
        self._next_look_seconds = self._clock.monotonic_seconds() + _LOOK_SECONDS
        if _stamp(self._path) == self._seen:
            return
        try:
            self._adopt(read_keys(self._path))
        except (UserError, StorageFault) as failure:
            self.fault = failure.message

    def _adopt(self, content: tuple[object, KeyFile]) -> None:
        self._seen, file = content
        self._known = {
            entry.key_id.encode(): (bytes.fromhex(entry.sha256), Known(Client(entry.key_id, entry.scopes), entry))
            for entry in file.keys
        }
        self.fault = None


def read_keys(path: Path) -> tuple[object, KeyFile]:
    """What tells whether the file changed, and its content; no keys where there is no file.

    Raises:
        UserError: it is not a file of keys.
        StorageFault: it cannot be read.
    """
    stamp = _stamp(path)
    try:
        return stamp, KeyFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return stamp, KeyFile()
    except OSError as failure:
        raise StorageFault(f"{path}: cannot read the API keys: {failure.strerror}", "check the file") from None
    except ValidationError as failure:
        where = ".".join(str(part) for part in failure.errors(include_input=False)[0]["loc"])
        raise UserError(f"{path}: not a file of API keys (at {where or 'its beginning'})", "restore it") from None


def write_keys(path: Path, content: KeyFile) -> None:
    """Replace the file as a whole.

    Raises:
        StorageFault: it cannot be written.
    """
    with published(path) as draft:
        draft.touch(mode=0o600)
        draft.write_text(content.model_dump_json(indent=1), encoding="utf-8")


def new_key(key_id: str) -> str:
    """A key that nobody can guess: 256 bits of the system's randomness."""
    return f"krins_{key_id}_{secrets.token_urlsafe(32)}"


def _stamp(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError as failure:
        return failure.errno
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


if __name__ == "__main__":
    from serve.security.key_commands import main

    main()
