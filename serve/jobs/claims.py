"""Idempotency keys of requests that are answered at once: who executes one, and what was answered.

Whoever begins with a key that nobody has executes the request and keeps its answer; whoever comes later gets that
answer, is told to come back while it is executed, or is refused where the payload is another one (draft-ietf-httpapi-
idempotency-key-header, section 2). A claim belongs to a replica, which renews one lease for all of its claims: when the
replica is dead its claims are free again a few seconds later. Each begin has a token of its own, so that a begin which
is said twice, because the first answer was lost on its way, is still ours, and one that was taken over in the meantime
cannot end what its successor does.
Invariants: of all that begin with one key, one at a time executes, and none does once an answer is kept; an answer is
kept for a day. Left out: which requests have keys (`serve.jobs.idempotent`).
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import orjson

from krins.interfaces import Clock
from serve.jobs.job import other_payload
from serve.web import Answer, Refusal

LEASE_SECONDS = 6.0
"""Of a replica that is not heard of: it renews every third of that."""
KEEP_SECONDS = 86_400.0
MOST_KEPT = 100_000
"""Answers; beyond them the oldest go."""
MOST_ANSWER_BYTES = 2**20
_PRUNED_AT_ONCE = 20
_SCHEMA = """
CREATE TABLE IF NOT EXISTS claims(
  key TEXT PRIMARY KEY, payload_sha256 TEXT NOT NULL, replica TEXT NOT NULL, token TEXT NOT NULL,
  began_at REAL NOT NULL, answered_at REAL, status INTEGER, headers BLOB, content_type BLOB, body BLOB);
CREATE INDEX IF NOT EXISTS claims_began ON claims(began_at);
CREATE TABLE IF NOT EXISTS replicas(replica TEXT PRIMARY KEY, lease_until REAL NOT NULL);
"""


class Claim(NamedTuple):
    """Whose a begin is."""

    replica: str
    token: str


class ClaimStore:
    """The tables of claims and of the replicas that hold them."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._db, self._clock = connection, clock
        connection.executescript(_SCHEMA)

    def renew(self, replica: str) -> None:
        """The replica is alive."""
        self._heard(replica)
        self._db.execute("DELETE FROM replicas WHERE lease_until < ?", (self._clock.now_seconds() - KEEP_SECONDS,))

    def begin(self, key: str, payload_sha256: str, claim: Claim) -> Answer | None:
        """None: it is for `claim` to execute. Otherwise the answer that was kept.

        Raises:
            Refusal: 409 while another executes it, or where its answer was too large to be kept; 422 for another
                payload.
        """
        # Whoever asks is alive: under load its renewal may stand behind many such questions.
        self._heard(claim.replica)
        row = self._db.execute(
            "SELECT payload_sha256, replica, token, answered_at, status, headers, content_type, body FROM claims "
            "WHERE key = ?",
            (key,),
        ).fetchone()
        if row is None:
            self._prune()
        else:
            known, replica, token, answered_at, *answer = row
            if known != payload_sha256:
                raise other_payload()
            if answered_at is not None:
                return _answer(*answer)
            if (replica, token) != claim:
                self._require_over(replica)
        self._claim(key, payload_sha256, claim)
        return None

    def end(self, key: str, claim: Claim, answer: Answer | None) -> bool:
        """Keep the answer, or with None give the key back; False where the claim was taken over meanwhile."""
        held = (key, *claim)
        if answer is None:
            return (
                self._db.execute(
                    "DELETE FROM claims WHERE key = ? AND replica = ? AND token = ? AND answered_at IS NULL", held
                ).rowcount
                > 0
            )
        assert isinstance(answer.body, bytes), "streams are not kept"
        is_kept = len(answer.body) <= MOST_ANSWER_BYTES
        headers = orjson.dumps([[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers])
        columns = (answer.status if is_kept else None, headers, answer.content_type, answer.body if is_kept else None)
        return (
            self._db.execute(
                "UPDATE claims SET answered_at = ?, status = ?, headers = ?, content_type = ?, body = ? "
                "WHERE key = ? AND replica = ? AND token = ?",
                (self._clock.now_seconds(), *columns, *held),
            ).rowcount
            > 0
        )

    def _heard(self, replica: str) -> None:
        self._db.execute(
            "INSERT INTO replicas VALUES (?, ?) ON CONFLICT(replica) DO UPDATE SET lease_until = excluded.lease_until",
            (replica, self._clock.now_seconds() + LEASE_SECONDS),
        )

    def _claim(self, key: str, payload_sha256: str, claim: Claim) -> None:
        now = self._clock.now_seconds()
        self._db.execute(
            "INSERT OR REPLACE INTO claims(key, payload_sha256, replica, token, began_at) VALUES (?, ?, ?, ?, ?)",
            (key, payload_sha256, claim.replica, claim.token, now),
        )

    def _require_over(self, replica: str) -> None:
        row = self._db.execute("SELECT lease_until FROM replicas WHERE replica = ?", (replica,)).fetchone()
        left = 0.0 if row is None else row[0] - self._clock.now_seconds()
        if left > 0.0:
            raise Refusal(
                409,
                "request_in_flight",
                "a request with this idempotency key is being executed",
                "ask again a little later for its answer",
                # Its answer may come sooner; but if the replica is dead, whoever comes sooner comes in vain.
                retry_after_seconds=left,
            )

    def _prune(self) -> None:
        """A few at a time, with each new key."""
        oldest = self._clock.now_seconds() - KEEP_SECONDS
        self._db.execute(
            "DELETE FROM claims WHERE rowid IN (SELECT rowid FROM claims WHERE began_at < ? ORDER BY rowid LIMIT ?)",
            (oldest, _PRUNED_AT_ONCE),
        )
        # Rows are numbered as they come: their span is at least their number, and is known without counting.
        self._db.execute(
            "DELETE FROM claims WHERE rowid IN (SELECT rowid FROM claims WHERE answered_at IS NOT NULL "
            "AND rowid < (SELECT max(rowid) FROM claims) - ? ORDER BY rowid LIMIT ?)",
            (MOST_KEPT, _PRUNED_AT_ONCE),
        )


def _answer(status: int | None, headers: bytes, content_type: bytes, body: bytes | None) -> Answer:
    if status is None or body is None:
        raise Refusal(
            409,
            "answer_not_kept",
            f"the request was executed, and its answer of more than {MOST_ANSWER_BYTES:,} bytes was not kept",
            "take a new idempotency key to have it executed again",
        )
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in orjson.loads(headers)]
    return Answer(body, status, pairs, content_type)
