"""Stand-ins, in the tests' sandbox, for the objects that a candidate left in its own.

Invariants: a stand-in forwards calls, attributes, items, `len`, iteration and `with`, and gets plain data or another
stand-in back, which the test then judges here. The candidate sees names of attributes and what is passed to a call,
used as an index or assigned, and nothing else. Every operator, comparison, `in`, truth, hash, conversion, text form,
copy and test of its class raises `NotComparable`, written as an operator or as the special method; so do predicates of
texts, numbers and sets (`startswith`, `isdigit`, `issubset`), except as functions of the module itself. A test in which
that was raised has failed, even if it catches it. So no object of a candidate can pose as a value that a test expects.
An exception of a candidate arrives as the nearest builtin class; one that is no `Exception` (SystemExit), a candidate
that has died, or an answer off the protocol is `CandidateFailure`, which no test can catch as an `Exception`. The link
remembers these failures.
Left out: callbacks (a test can pass plain data and stand-ins to a candidate, not its own functions); changes that a
candidate makes to an argument, which is a copy; what a stand-in lacks, for `callable` is true of every one; and what is
the candidate's word: that two stand-ins are one object, that something is not None, and what its own methods return.
`assert text.find("x") >= 0` passes with any object that has such a method; a test that asserts `isinstance(text, str)`
first has Python's own.

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

import builtins
import json

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO, Any

    from krins.quality import plain_data
else:
    import plain_data

MAX_ITEMS = 10_000
_ARITHMETIC = "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift divmod"
_REFUSED = {
    "eq ne lt le gt ge": "cannot be compared",
    "contains": "cannot be searched with `in`",
    "bool": "has no truth",
    "hash": "cannot be hashed",
    _ARITHMETIC: "cannot be computed with",
    " ".join(f"r{name} i{name}" for name in _ARITHMETIC.split()): "cannot be computed with",
    "neg pos invert abs round trunc floor ceil": "cannot be computed with",
    "int float complex index bytes fspath": "cannot be converted",
    "str repr format dir": "has no text",
    "reduce reduce_ex": "cannot be copied",
    "instancecheck subclasscheck": "is no class",
}
"""Special methods, without their underscores, and what to say of an object that is asked for one."""
_REFUSED_ATTRIBUTES = {"class": "has no class", "bases": "is no class", "mro_entries": "is no class"}
"""What `isinstance`, `issubclass` and `class` read of an object, where other special methods are looked up in its type.
Without this, `isinstance(x, Iterable)` would be true of every stand-in."""
_PREDICATES = {"startswith", "endswith"} | {
    name for kind in (str, float, set) for name in dir(kind) if name.startswith("is")
}
"""Methods of plain data whose answer is the assertion itself, which would leave nothing to compare here."""


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
        """What a test must not get over: the candidate's last failure that was no `Exception`, or a `NotComparable`.
        The runner clears it before each test."""

    def send(self, message: object) -> None:
        self._requests.write(json.dumps(message).encode("ascii") + b"\n")
        self._requests.flush()

    def load(self, name: str) -> object:
        """A module of the candidate's, which is imported now. Raises what `ask` does."""
        module = self.ask("import", name)
        if type(module) is not RemoteObject:
            raise self.failed("its answer does not follow the protocol")
        return RemoteModule(self, module._krins_number, module._krins_name)

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
        # Types are compared, since any part of an answer may be a stand-in, which cannot be asked for its class.
        if type(answer) is list and len(answer) == 2 and type(answer[0]) is str:
            kind, content = answer
            if kind == "value":
                return content
            if kind == "raise" and type(content) is list and [type(part) for part in content] == [list, str]:
                raise self._as_builtin(operation, [name for name in content[0] if type(name) is str], content[1])
            if kind == "ended" and type(content) is str:
                self.failure = content or "it ended"
                raise self.failed(self.failure)
        raise self.failed("its answer does not follow the protocol")

    def failed(self, why: str) -> CandidateFailure:
        self.misbehaved = why
        return CandidateFailure(why)

    def _as_builtin(self, operation: str, chain: list[str], message: str) -> BaseException:
        for name in chain:
            kind = getattr(builtins, name, None)
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                continue
            if issubclass(kind, (StopIteration, StopAsyncIteration)) and operation != "next":
                # Raised from a call, it would end the test's own loops in silence and make all() of them true.
                kind = RuntimeError
            try:
                failure = kind(message)
            except TypeError:
                continue  # a class that wants more than a message, such as UnicodeDecodeError
            failure.candidate_classes = chain  # type: ignore[attr-defined]
            return failure
        return self.failed(" ".join(["it raised", *chain[:1], message]))

    def _number(self, value: object) -> tuple[int, str]:
        if isinstance(value, RemoteObject):
            return value._krins_number, ""
        return plain_data.no_references(value)

    def _stand_in(self, number: int, name: str) -> RemoteObject:
        if number not in self._stand_ins:
            self._stand_ins[number] = RemoteObject(self, number, name)
        return self._stand_ins[number]


class RemoteObject:
    """An object of the candidate. The special methods that raise `NotComparable` are added below the class."""

    __slots__ = ("_krins_link", "_krins_name", "_krins_number")
    _krins_link: Link
    _krins_name: str
    _krins_number: int

    def __init__(self, link: Link, number: int, name: str) -> None:
        object.__setattr__(self, "_krins_link", link)
        object.__setattr__(self, "_krins_number", number)
        object.__setattr__(self, "_krins_name", name)

    def __getattribute__(self, name: str) -> Any:
        """Everything is the candidate's, even what this class has as well, such as `__doc__`."""
        if name.startswith("_krins_"):
            return object.__getattribute__(self, name)
        if name in _REFUSALS:
            raise _not_comparable(self, _REFUSALS[name])
        if name in _PREDICATES and type(self) is not RemoteModule:
            raise _not_comparable(self, f"cannot be asked for {name}()")
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

    def __len__(self) -> Any:
        return _ask(self, "len")

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


class RemoteModule(RemoteObject):
    """A module of the candidate's. No answer of the candidate can be one, not even an answer that is the module."""

    __slots__ = ()


def _ask(value: RemoteObject, operation: str, *arguments: object) -> object:
    return value._krins_link.ask(operation, value, *arguments)


def _not_comparable(value: RemoteObject, what: str) -> NotComparable:
    why = f"an object of the solution ({value._krins_name}) {what} in a test; take plain data from it"
    value._krins_link.misbehaved = why
    return NotComparable(why)


def _refusal(what: str) -> Callable[..., object]:
    def refuse(self: RemoteObject, *others: object) -> object:
        raise _not_comparable(self, what)

    return refuse


_REFUSALS = {f"__{name}__": what for name, what in _REFUSED_ATTRIBUTES.items()}
for _names, _what in _REFUSED.items():
    for _name in _names.split():
        _REFUSALS[f"__{_name}__"] = _what
        setattr(RemoteObject, f"__{_name}__", _refusal(_what))
