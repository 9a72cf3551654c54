"""Decision ids: all that is needed to learn from a decision, signed, so that feedback survives whoever made it.

An id is the URL-safe base64 (RFC 4648, section 5, without padding) of a packed ticket and a tag, the first 128 bits of
its HMAC-SHA256 (RFC 2104, section 5 on truncation). Typical ids have 110 characters; one with features of the task
has 11 more for each number that is not zero.
Invariants: a ticket goes in and comes out to the last bit; one ticket has one text; tags are compared in constant time.
What stands in a ticket can be read by whoever holds the id, and changed by nobody without the key.
Left out: whether a decision was answered already (`seen`), and secrecy.
"""

from __future__ import annotations

import hmac
import math
import os
import secrets
import struct
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import NamedTuple

import numpy as np

from krins.errors import StorageFault, boundary
from krins.interfaces import FloatArray
from krins.runs.store import sync_folder
from serve.web import Refusal

_FORMAT = 1
_TAG_BYTES = 16
_HAS_CONVERSATION, _HAS_FEATURES = 1, 2
_HEAD = struct.Struct("<BBIQdQId")
_LONGEST = 64 * 1024


class Ticket(NamedTuple):
    """What a decision id says."""

    arm: str
    probability: float | None
    """With which the router chose the arm; None where nobody knows."""
    epoch: int
    version: int
    """How many outcomes the router had learnt."""
    replica: int
    """Who counts the decision as pending; below 2**64."""
    number: int
    """Of the replica's decisions; tells two of the same moment apart."""
    at_seconds: float
    conversation: str | None
    """32 hexadecimal digits."""
    router: str
    features: FloatArray | None = None
    """Of the task, shape (n_features,); None for a router that does not look at tasks."""


class Read(NamedTuple):
    """A verified id."""

    ticket: Ticket
    key: int
    """64 bits of the tag: names the decision in indices. Two of two million have the same with chance 1e-7."""


class DecisionIds:
    """Makes and reads ids of one service.

    Args:
        key: 32 bytes that only this service has.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, ticket: Ticket) -> tuple[str, int]:
        """The id and its key, as in `Read`."""
        content = _pack(ticket)
        tag = self._tag(content)
        return urlsafe_b64encode(content + tag).rstrip(b"=").decode(), _short(tag)

    def read(self, decision_id: str) -> Read:
        """
        Raises:
            Refusal: 400 `unknown_decision`: the id was not made with this key, or was changed or cut off.
        """
        content, tag = _split(decision_id)
        # The same work for any id, so that time tells nothing of the tag.
        if not hmac.compare_digest(self._tag(content), tag):
            raise _unknown()
        try:
            return Read(_unpack(content), _short(tag))
        except (ValueError, struct.error, UnicodeDecodeError, zlib.error, IndexError):
            raise _unknown() from None  # of another version of krins, signed with this key

    def _tag(self, content: bytes) -> bytes:
        digest: bytes = hmac.digest(self._key, content, "sha256")
        return digest[:_TAG_BYTES]


def key_at(path: Path) -> bytes:
    """The key in a file, which is made where there is none: once, whole, for its owner alone.

    Raises:
        StorageFault: the file cannot be made or read, or holds no key.
    """
    remedy = "check the folder; a lost key makes ids that were handed out unknown, and nothing else"
    with boundary(StorageFault, f"{path}: no key for decision ids", remedy, catch=OSError):
        if not path.exists():
            _make_key(path)
        key = path.read_bytes()
    if len(key) != 32:
        raise StorageFault(f"{path}: this is no key of 32 bytes", remedy)
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        # A link is made by the first alone; a rename would replace the key of whoever came first.
        os.link(draft, path)
        sync_folder(path.parent)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


def _pack(ticket: Ticket) -> bytes:
    flags = (_HAS_CONVERSATION if ticket.conversation is not None else 0) | (
        _HAS_FEATURES if ticket.features is not None else 0
    )
    probability = math.nan if ticket.probability is None else ticket.probability
    head = _HEAD.pack(
        _FORMAT, flags, ticket.epoch, ticket.version, ticket.at_seconds, ticket.replica, ticket.number, probability
    )
    conversation = b"" if ticket.conversation is None else bytes.fromhex(ticket.conversation)
    if ticket.conversation is not None and len(conversation) != 16:
        raise ValueError(f"a conversation has 32 hexadecimal digits, got {ticket.conversation!r}")
    features = b"" if ticket.features is None else _pack_features(ticket.features)
    return b"".join((head, conversation, _pack_text(ticket.arm), _pack_text(ticket.router), features))


def _unpack(content: bytes) -> Ticket:
    version, flags, epoch, learnt, at_seconds, replica, number, probability = _HEAD.unpack_from(content)
    if version != _FORMAT:
        raise ValueError("another format")
    at, conversation = _HEAD.size, None
    if flags & _HAS_CONVERSATION:
        conversation = content[at : at + 16].hex()
        at += 16
    arm, at = _unpack_text(content, at)
    router, at = _unpack_text(content, at)
    features = _unpack_features(content[at:]) if flags & _HAS_FEATURES else None
    known = None if math.isnan(probability) else probability
    return Ticket(arm, known, epoch, learnt, replica, number, at_seconds, conversation, router, features)


def _pack_text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<H", len(encoded)) + encoded


def _unpack_text(content: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<H", content, at)
    end = at + 2 + length
    return content[at + 2 : end].decode(), end


def _pack_features(features: FloatArray) -> bytes:
    """As most are zero, a bit for each says whether it is not; -0.0 counts as a number of its own."""
    row: FloatArray = np.ascontiguousarray(features, "<f8")
    is_there = row.view("<u8") != 0
    return b"".join((struct.pack("<H", row.size), np.packbits(is_there).tobytes(), row[is_there].tobytes()))


def _unpack_features(content: bytes) -> FloatArray:
    (size,) = struct.unpack_from("<H", content)
    end = 2 + (size + 7) // 8
    is_there = np.unpackbits(np.frombuffer(content[2:end], np.uint8), count=size).astype(np.bool_)
    row = np.zeros(size)
    row[is_there] = np.frombuffer(content[end:], "<f8")
    return row


def _split(decision_id: str) -> tuple[bytes, bytes]:
    """Content and tag of what is base64 in its one form; empty for anything else, which no tag fits."""
    try:
        encoded = decision_id.encode("ascii")
        whole = b"" if len(encoded) > _LONGEST else urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
        if urlsafe_b64encode(whole).rstrip(b"=") != encoded:
            whole = b""
    except ValueError:
        whole = b""
    return whole[:-_TAG_BYTES], whole[-_TAG_BYTES:]


def _short(tag: bytes) -> int:
    return int.from_bytes(tag[:8], "little")


def _unknown() -> Refusal:
    return Refusal(
        400,
        "unknown_decision",
        "this decision id was not made by this service, or was changed or cut off",
        "send the id as it stood in `x-krins-decision-id` or in the answer of /v1/route",
        param="decision_id",
    )
