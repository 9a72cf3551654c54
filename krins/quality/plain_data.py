"""Plain data as lines of JSON, and back, exactly: what may pass between tests and the code that they test.

Plain data are None, bool, int of any size, float with nan and the infinities, str with lone surrogates, bytes, list,
tuple, set, frozenset and dict, nested. What has no JSON form travels as an object with one key, its tag:

    {"i": "-0x1f"} int beyond 53 bits     {"t": [...]} tuple        {"d": [[key, value], ...]} dict
    {"u": "eda080"} str with surrogates   {"s": [...]} set          {"h": [number, class name]} object left behind
    {"b": "00ff"} bytes                   {"f": [...]} frozenset

Invariants: decoding makes exact builtin types and calls nothing but their constructors, so a line from untrusted code
can hold wrong values but no behaviour; an instance of a subclass arrives as its builtin type; depth and size are
bounded on both sides.
Left out: what an object left behind is; callers pass `refer` (object to number and class name) and `resolve` (back).

This file is also sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
    Refer: TypeAlias = Callable[[object], tuple[int, str]]
    Resolve: TypeAlias = Callable[[int, str], object]

MAX_MESSAGE_BYTES = 2**20
MAX_DEPTH = 64

_EXACT_IN_JSON = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")
_SEQUENCES: dict[str, type[Any]] = {"t": tuple, "s": set, "f": frozenset}
_PLAIN = (type(None), int, float, str, bytes, list, dict, tuple, set, frozenset)


class NotPlain(TypeError):
    """A value that is not plain data, too deep, or too large; or a line that is no message."""


def no_references(value: object) -> tuple[int, str]:
    """A `refer` for places where only plain data may stand."""
    raise NotPlain(f"{type(value).__name__} is not plain data")


def dumps(value: object, refer: Refer) -> bytes:
    """One line, newline included.

    Raises:
        NotPlain: too deep, too large, or `refer` refused an object.
    """
    line = json.dumps(encode(value, refer), separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > MAX_MESSAGE_BYTES:
        raise NotPlain(f"data of {len(line)} bytes; at most {MAX_MESSAGE_BYTES} may be passed")
    return line


def loads(line: bytes, resolve: Resolve) -> object:
    """Inverse of `dumps`.

    Raises:
        NotPlain: the line does not follow the format. Nothing else, whatever the line holds.
    """
    if len(line) > MAX_MESSAGE_BYTES:
        raise NotPlain(f"message of more than {MAX_MESSAGE_BYTES} bytes")
    try:
        return decode(json.loads(line), resolve)
    except NotPlain:
        raise
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, MemoryError) as failure:
        raise NotPlain(f"no message: {type(failure).__name__}") from None


def encode(value: object, refer: Refer, depth: int = 0) -> Json:
    if depth > MAX_DEPTH:
        raise NotPlain(f"data nested more than {MAX_DEPTH} deep")
    if not issubclass(type(value), _PLAIN):  # isinstance would ask the object too, and a stand-in refuses to answer
        return {"h": list(refer(value))}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float, str, bytes)):
        return _encode_scalar(value)
    if isinstance(value, list):
        return [encode(item, refer, depth + 1) for item in list.__iter__(value)]
    if isinstance(value, dict):
        pairs = dict.items(value)
        if all(_is_plain_key(key) for key, _ in pairs):
            return {"d": [[encode(key, refer, depth + 1), encode(item, refer, depth + 1)] for key, item in pairs]}
    for tag, kind in _SEQUENCES.items():
        if isinstance(value, kind) and (kind is tuple or all(map(_is_plain_key, kind.__iter__(value)))):
            return {tag: [encode(item, refer, depth + 1) for item in kind.__iter__(value)]}
    return {"h": list(refer(value))}


def _encode_scalar(value: int | float | str | bytes) -> Json:
    if isinstance(value, int):
        value = int.__int__(value)
        return value if -_EXACT_IN_JSON <= value <= _EXACT_IN_JSON else {"i": hex(value)}
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        value = str.__str__(value)
        return {"u": value.encode("utf-8", "surrogatepass").hex()} if _SURROGATE.search(value) else value
    return {"b": bytes.hex(value)}


def _is_plain_key(value: object, depth: int = 0) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return depth <= MAX_DEPTH and all(_is_plain_key(item, depth + 1) for item in value)
    return value is None or isinstance(value, (int, float, str, bytes))


def decode(data: Json, resolve: Resolve) -> object:
    if isinstance(data, list):
        return [decode(item, resolve) for item in data]
    if data != data:
        return float("nan")  # a new one: the parser's are all one object, of which a set would keep one
    if not isinstance(data, dict):
        return data
    if len(data) != 1:
        raise NotPlain("an object without its tag")
    ((tag, body),) = data.items()
    if tag in _SEQUENCES and isinstance(body, list):
        return _SEQUENCES[tag]([decode(item, resolve) for item in body])
    if tag == "d" and isinstance(body, list):
        pairs: list[Any] = body
        return {decode(key, resolve): decode(item, resolve) for key, item in pairs}
    if tag == "h" and isinstance(body, list):
        number, name = body
        if type(number) is int and type(name) is str:
            return resolve(number, name)
    return _decode_scalar(tag, body)


def _decode_scalar(tag: str, body: Json) -> object:
    if not isinstance(body, str):
        raise NotPlain("a tag without its content")
    if tag == "i":
        return int(body, 16)
    if tag == "u":
        return bytes.fromhex(body).decode("utf-8", "surrogatepass")
    if tag == "b":
        return bytes.fromhex(body)
    raise NotPlain("an unknown tag")
