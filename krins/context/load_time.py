"""What a Python file does with names while it is loaded: which it may run, and which it only gives other names.

Loading runs what stands outside of functions, and decorators and defaults of functions as well. Invariant: whatever is
not plainly a new name for a thing (`x = f`, a table of functions, a type) counts as run. Exempt are imports, `__all__`,
docstrings, what only type checkers see, and `if __name__ == "__main__"`, which runs in a process of its own.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from krins.context.edits import parsed

_WORD = re.compile(r"[^\W\d]\w*")
_HARMLESS_DECORATORS = frozenset(
    [
        *("property", "cached_property", "getter", "setter", "deleter", "staticmethod", "classmethod"),
        *("abstractmethod", "cache", "lru_cache", "wraps", "contextmanager", "asynccontextmanager", "dataclass"),
        *("total_ordering", "final", "override", "overload", "runtime_checkable", "fixture"),
    ]
)
_TYPE_MAKERS = frozenset(["NewType", "ParamSpec", "TypeVar", "TypeVarTuple"])
_NAMING = (ast.Name, ast.Attribute, ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Subscript, ast.Starred)
_TYPE_UNION = (ast.BinOp, ast.BitOr)
_IGNORED = (ast.Import, ast.ImportFrom, ast.Pass, ast.Global)
_NOT_LOADED = frozenset(["TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING", "__name__ == '__main__'"])
"""Conditions, as `ast.unparse` writes them."""


class Naming(NamedTuple):
    """`targets = value`, as far as names go."""

    targets: frozenset[str]
    classes: tuple[int, ...]
    """Lines of the class statements around it, whose instances can use it by any name."""
    words: frozenset[str]


class ClassStatement(NamedTuple):
    line: int
    bases: tuple[str, ...]
    """As written, without type arguments."""
    is_plain: bool
    """Has no metaclass, no other keywords, and no decorators that could keep it."""


class LoadTime(NamedTuple):
    runs: frozenset[str]
    """Words of what may be run."""
    namings: tuple[Naming, ...]
    classes: tuple[ClassStatement, ...]
    modules: dict[str, str]
    """Where imported names come from: the name here to the module, with its leading dots."""


def load_time(source: bytes) -> LoadTime | None:
    """What loading a file does; None where it is not valid Python, so that anything may be."""
    tree = parsed(source)
    if tree is None:
        return None
    found = _Statements()
    try:
        found.read(tree.body, ())
    except RecursionError:
        return None
    return LoadTime(frozenset(found.runs), tuple(found.namings), tuple(found.classes), dict(_modules(tree)))


def is_harmless(decorator: str) -> bool:
    """Whether a decorator, as written without arguments, is known to keep what it is given nowhere else."""
    return decorator.rpartition(".")[2] in _HARMLESS_DECORATORS or decorator.startswith("pytest.mark.")


def is_of_standard_library(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


class _Statements:
    def __init__(self) -> None:
        self.runs: set[str] = set()
        self.namings: list[Naming] = []
        self.classes: list[ClassStatement] = []

    def read(self, statements: Iterable[ast.AST], around: tuple[ast.ClassDef, ...]) -> None:
        for statement in statements:
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._function(statement)
                case ast.ClassDef():
                    self._class(statement, around)
                case ast.If():
                    self._if(statement, around)
                case ast.Try() | ast.TryStar():
                    self._try(statement, around)
                case ast.Assign(targets=targets, value=value):
                    self._assign(targets, [value], around)
                case ast.AnnAssign(target=target, annotation=annotation, value=value):
                    self._assign([target], [annotation, value], around)
                case _:
                    self.runs |= frozenset() if _is_idle(statement) else _words(statement)

    def _function(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._decorators(function.decorator_list)
        arguments = function.args
        annotations = [argument.annotation for argument in ast.walk(arguments) if isinstance(argument, ast.arg)]
        for value in (*arguments.defaults, *arguments.kw_defaults, *annotations, function.returns):
            self._run_calls(value)

    def _decorators(self, decorators: Sequence[ast.expr]) -> bool:
        """Whether all of them are harmless."""
        are_harmless = True
        for decorator in decorators:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            if not is_harmless(ast.unparse(called)):
                are_harmless = False
                self.runs |= _words(decorator)
            elif isinstance(decorator, ast.Call):
                for argument in (*decorator.args, *(keyword.value for keyword in decorator.keywords)):
                    self._run_calls(argument)
        return are_harmless

    def _class(self, statement: ast.ClassDef, around: tuple[ast.ClassDef, ...]) -> None:
        is_plain = self._decorators(statement.decorator_list) and not statement.keywords
        for keyword in statement.keywords:
            self.runs |= _words(keyword.value)
        bases = []
        for base in statement.bases:
            if isinstance(base, ast.Subscript):
                self._name([], base.slice, (*around, statement))
                base = base.value
            if isinstance(base, (ast.Name, ast.Attribute)):
                bases.append(ast.unparse(base))
            else:
                is_plain = False
                self.runs |= _words(base)
        self.classes.append(ClassStatement(statement.lineno, tuple(bases), is_plain))
        self.read(statement.body, (*around, statement))

    def _if(self, statement: ast.If, around: tuple[ast.ClassDef, ...]) -> None:
        if ast.unparse(statement.test) not in _NOT_LOADED:
            self.runs |= _words(statement.test)
            self.read(statement.body, around)
        self.read(statement.orelse, around)

    def _try(self, statement: ast.Try | ast.TryStar, around: tuple[ast.ClassDef, ...]) -> None:
        self.read([*statement.body, *statement.orelse, *statement.finalbody], around)
        for handler in statement.handlers:
            self.runs |= _words(handler.type)
            self.read(handler.body, around)

    def _assign(
        self, targets: list[ast.expr], values: Iterable[ast.expr | None], around: tuple[ast.ClassDef, ...]
    ) -> None:
        names = [name for target in targets for name in _names(target)]
        if names == ["__all__"]:
            return
        for value in values:
            if value is not None and None not in names:
                self._name([name for name in names if name], value, around)
            elif value is not None:
                self.runs |= _words(value)

    def _name(self, names: Sequence[str], value: ast.expr, around: tuple[ast.ClassDef, ...]) -> None:
        words = _words(value)
        if _is_naming(value):
            lines = tuple(statement.lineno for statement in around)
            self.namings.append(Naming(frozenset(names), lines, words))
        else:
            self.runs |= words

    def _run_calls(self, value: ast.expr | None) -> None:
        if value is not None and any(isinstance(node, ast.Call) for node in ast.walk(value)):
            self.runs |= _words(value)


def _is_idle(statement: ast.AST) -> bool:
    match statement:
        case ast.AugAssign(target=ast.Name(id="__all__")) | ast.Expr(value=ast.Constant()):
            return True
    return isinstance(statement, _IGNORED)


def _names(target: ast.expr) -> Iterator[str | None]:
    """Names that are assigned to; None for what runs code when it is assigned to."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _names(element)
    else:
        yield target.id if isinstance(target, ast.Name) else None


def _is_naming(value: ast.expr) -> bool:
    if isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in _TYPE_MAKERS:
        return True
    allowed = (*_NAMING, *_TYPE_UNION, ast.expr_context, ast.Lambda)
    waiting: list[ast.AST] = [value]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, allowed):
            return False
        if isinstance(node, ast.Lambda):
            waiting += [default for default in (*node.args.defaults, *node.args.kw_defaults) if default]
        else:
            waiting.extend(ast.iter_child_nodes(node))
    return True


def _words(node: ast.AST | None) -> frozenset[str]:
    """Every identifier below a node, and every word of its strings."""
    found: set[str] = set()
    for inner in ast.walk(node) if node else ():
        for _, value in ast.iter_fields(inner):
            if isinstance(value, bytes):
                value = value.decode("latin-1")
            if isinstance(value, str):
                found.update(_WORD.findall(value))
    return frozenset(found)


def _modules(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, "." * node.level + (node.module or "")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name


__all__ = ["ClassStatement", "LoadTime", "Naming", "is_harmless", "is_of_standard_library", "load_time"]
