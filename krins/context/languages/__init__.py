"""The languages that parsing knows: one grammar each, imported when a file of that language is first parsed."""

from __future__ import annotations

from functools import lru_cache

from krins.context.languages.bash import BASH
from krins.context.languages.c import CPP, C
from krins.context.languages.csharp import CSHARP
from krins.context.languages.go import GO
from krins.context.languages.grammar import Grammar
from krins.context.languages.java import JAVA
from krins.context.languages.javascript import JAVASCRIPT, TSX, TYPESCRIPT
from krins.context.languages.php import PHP
from krins.context.languages.python import PYTHON
from krins.context.languages.ruby import RUBY
from krins.context.languages.rust import RUST

_ALL = (PYTHON, JAVASCRIPT, TYPESCRIPT, TSX, GO, JAVA, RUST, C, CPP, RUBY, CSHARP, PHP, BASH)

GRAMMARS: dict[str, Grammar] = {grammar.name: grammar for grammar in _ALL}

LANGUAGES: tuple[str, ...] = tuple(GRAMMARS)

_BY_SUFFIX = {suffix: grammar.name for grammar in GRAMMARS.values() for suffix in grammar.suffixes}
_BY_NAME = {name: grammar.name for grammar in GRAMMARS.values() for name in grammar.file_names}


@lru_cache(2**17)  # a tree is listed again and again
def language_of(path: str) -> str | None:
    """The language of a file by its name alone; None where there is no grammar for it."""
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return _BY_SUFFIX.get(dot + suffix.lower()) if stem else _BY_NAME.get(name)


__all__ = ["GRAMMARS", "LANGUAGES", "Grammar", "language_of"]
