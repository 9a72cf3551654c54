"""What beside a word such as `password` may be a secret: loaded by detect-secrets, by this file's path, as a filter.

A label, a message, a name of something that holds a secret: most of what stands beside such a word is none. A value
counts that has no blank, and has a digit or is as mixed as random letters are. Invariant: kinds with a form of their
own are never filtered. Left out: passwords that are one plain word, or a sentence; nothing tells them from labels.
"""

from __future__ import annotations

import math
import re
from collections import Counter

from detect_secrets.plugins.base import BasePlugin
from detect_secrets.plugins.keyword import KeywordDetector

_BEHIND = re.compile(r"\s[#;]|,\s")
"""Where no quotes end a value, the rest of its line comes with it: a comment, or more of a mapping."""
_BITS = 4.0
"""Of a character, at least: 20 random letters have it, and words that are joined do not."""


def is_plain_word(secret: str, plugin: BasePlugin) -> bool:
    """Whether a value beside a keyword is no secret; detect-secrets goes by the names of the parameters."""
    if not isinstance(plugin, KeywordDetector):
        return False
    value = _BEHIND.split(secret, maxsplit=1)[0].strip()
    has_blank = len(value.split()) != 1
    return has_blank or not (any(character.isdigit() for character in value) or _bits(value) >= _BITS)


def _bits(value: str) -> float:
    """Shannon's entropy a character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
