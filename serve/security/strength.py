"""Whether a secret that somebody chose can be guessed.

Invariant: what a random generator makes of at least 128 bits passes (22 characters of base64, 32 of hexadecimal), up to
one in a million. A test of form, not of secrecy: a key that was published passes too.
"""

from __future__ import annotations

from itertools import pairwise

_MIN_CHARACTERS = 22
_MIN_DISTINCT = 9
_WORDS = (
    "password",
    "passw0rd",
    "changeme",
    "change-me",
    "secret",
    "admin-key",
    "example",
    "letmein",
    "qwerty",
    "krins-",
)
"""So long that a random key hardly holds one of them."""


def weakness(key: str) -> str | None:
    """Why the key is weak; None where it is not. Never quotes it."""
    lowered = key.lower()
    if len(key) < _MIN_CHARACTERS:
        return f"it has fewer than {_MIN_CHARACTERS} characters"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "it has characters that cannot stand in a header"
    if len(set(key)) < _MIN_DISTINCT:
        return f"it has fewer than {_MIN_DISTINCT} different characters"
    if key in (key + key)[1:-1]:
        return "it repeats itself"
    if _steps(key) > len(key) // 2:
        return "it is a sequence such as abcdef"
    if any(word in lowered for word in _WORDS):
        return "it contains a word that everybody tries"
    return None


def _steps(key: str) -> int:
    """How many characters follow upon their predecessor, up, down or unchanged."""
    return sum(abs(ord(after) - ord(before)) <= 1 for before, after in pairwise(key))
