"""Stand-ins, in the tests' sandbox, for the objects that a candidate left in its own.

Invariants: a stand-in forwards calls, attributes, items, iteration and arithmetic, and gets plain data or another
stand-in back. It has no equality, order, hash or truth, so that no object of a candidate can pretend to be what a test
expects. An exception of a candidate arrives as the nearest builtin class; one that is no `Exception` (SystemExit), a
candidate that has died, or an answer off the protocol is `CandidateFailure`, which no test can catch as an
`Exception`, and which the link remembers.
Left out: callbacks (a test can pass plain data and stand-ins to a candidate, not its own functions); changes that a
candidate makes to an argument, which is a copy; and what a stand-in lacks, for every one of them looks callable.

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import builtins
import json

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

    from krins.quality import plain_data
else:
    import plain_data

MAX_ITEMS = 10_000
_UNARY = "neg pos invert abs int float str repr len"
_BINARY = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift divmod"
_ORDER = "eq ne lt le gt ge"
_KEYWORDS = {"and": "and_", "or": "or_"}


class CandidateFailure(BaseException):
    """The candidate ended, or answered what is no answer: the test has failed, whatever it makes of this."""


class NotComparable(plain_data.NotPlain):
    """A test asked an object of the candidate for something that only plain data can give."""


class Link:
    """The one line to the candidate: requests out, answers in, and the stand-ins made so far."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._requests = requests
        self._answers = answers
        self._stand_ins: dict[int, RemoteObject] = {}
        self.failure = ""
        """Why nothing more can be had of the candidate; empty while it lives."""
        self.misbehaved = ""
        """The last failure of the candidate that was no `Exception`; the runner clears it before each test."""

    def send(self, message: object) -> None:
        self._requests.write(json.dumps(message).encode("ascii") + b"\n")
        self._requests.flush()

    def ask(self, operation: str, *arguments: object) -> object:
        """The candidate's answer to one operation.

        Raises:
            Exception: what the candidate raised, as the nearest builtin class.
            CandidateFailure: it ended, or did not answer as it should.
        """
        if self.failure:
            raise self.failed(self.failure)
        request = plain_data.dumps([operation, list(arguments)], self._number)
        self._requests.write(b'["call"]\n' + request)
        self._requests.flush()
        try:
            answer = plain_data.loads(self._answers.readline(plain_data.MAX_MESSAGE_BYTES + 1), self._stand_in)
        except plain_data.NotPlain as refused:
            answer = ["ended", f"its answer cannot be read: {refused}"]
        self.send(["received"])
        return self._opened(operation, answer)

    def _opened(self, operation: str, answer: object) -> object:
        if isinstance(answer, list) and len(answer) == 2:
            kind, content = answer
            if kind == "value":
                return content
            if kind == "raise":
                raise self._as_builtin(operation, content)
            if kind == "ended" and isinstance(content, str):
                self.failure = content or "it ended"
                raise self.failed(self.failure)
        raise self.failed("its answer does not follow the protocol")

    def failed(self, why: str) -> CandidateFailure:
        self.misbehaved = why
        return CandidateFailure(why)

    def _as_builtin(self, operation: str, content: Any) -> BaseException:
        try:
            names, message = content
            chain = [str(name) for name in names]
        except (TypeError, ValueError):
            return self.failed("its answer does not follow the protocol")
        for name in chain:
            kind = getattr(builtins, name, None)
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                continue
            if issubclass(kind, (StopIteration, StopAsyncIteration)) and operation != "next":
                # Raised from a call, it would end the test's own loops in silence and make all() of them true.
                kind = RuntimeError
            try:
                failure = kind(str(message))
            except TypeError:
                continue  # a class that wants more than a message, such as UnicodeDecodeError
            failure.candidate_classes = chain  # type: ignore[attr-defined]
            return failure
        return self.failed(" ".join(["it raised", *chain[:1], str(message)]))

    def _number(self, value: object) -> tuple[int, str]:
        if isinstance(value, RemoteObject):
            return value._krins_number, ""
        return plain_data.no_references(value)

    def _stand_in(self, number: int, name: str) -> RemoteObject:
        if number not in self._stand_ins:
            self._stand_ins[number] = RemoteObject(self, number, name)
        return self._stand_ins[number]


class RemoteObject:
    """An object of the candidate. Most special methods are added below the class, one for each operator."""

    __slots__ = ("_krins_link", "_krins_name", "_krins_number")
    _krins_link: Link
    _krins_name: str
    _krins_number: int

    def __init__(self, link: Link, number: int, name: str) -> None:
        object.__setattr__(self, "_krins_link", link)
        object.__setattr__(self, "_krins_number", number)
        object.__setattr__(self, "_krins_name", name)

    def __getattr__(self, name: str) -> object:
        return _ask(self, "getattr", name)

    def __setattr__(self, name: str, value: object) -> None:
        _ask(self, "setattr", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "delattr", name)

    def __call__(self, *arguments: object, **named: object) -> object:
        return _ask(self, "call", list(arguments), named)

    def __getitem__(self, key: object) -> object:
        if isinstance(key, slice):
            raise NotComparable("slices cannot be passed to the solution")
        return _ask(self, "getitem", key)

    def __setitem__(self, key: object, value: object) -> None:
        _ask(self, "setitem", key, value)

    def __delitem__(self, key: object) -> None:
        _ask(self, "delitem", key)

    def __contains__(self, item: object) -> bool:
        return _ask(self, "contains", item) is True

    def __iter__(self) -> Iterator[object]:
        iterator = _ask(self, "iter")
        for _ in range(MAX_ITEMS):
            try:
                item = self._krins_link.ask("next", iterator)
            except StopIteration:
                return
            yield item
        raise self._krins_link.failed(f"it yields more than {MAX_ITEMS} items")

    def __next__(self) -> object:
        return _ask(self, "next")

    def __enter__(self) -> object:
        return _ask(self, "enter")

    def __exit__(self, *exception: object) -> None:
        _ask(self, "exit")

    def __bool__(self) -> bool:
        raise _not_comparable(self, "has no truth")

    def __hash__(self) -> int:
        raise _not_comparable(self, "cannot be hashed")


def _ask(value: RemoteObject, operation: str, *arguments: object) -> object:
    return value._krins_link.ask(operation, value, *arguments)


def _not_comparable(value: RemoteObject, what: str) -> NotComparable:
    return NotComparable(f"an object of the solution ({value._krins_name}) {what} in a test; take plain data from it")


def _add_operators() -> None:
    for name in _UNARY.split():
        setattr(RemoteObject, f"__{name}__", lambda self, name=name: _ask(self, name))
    for name in _BINARY.split():
        operation = _KEYWORDS.get(name, name)
        setattr(RemoteObject, f"__{name}__", lambda self, other, of=operation: self._krins_link.ask(of, self, other))
        setattr(RemoteObject, f"__r{name}__", lambda self, other, of=operation: self._krins_link.ask(of, other, self))
    for name in _ORDER.split():
        setattr(RemoteObject, f"__{name}__", _refuse_comparison)


def _refuse_comparison(self: RemoteObject, other: object) -> bool:
    raise _not_comparable(self, "cannot be compared")


_add_operators()
