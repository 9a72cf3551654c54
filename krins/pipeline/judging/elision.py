"""A program's text without what is written for readers: comments, docstrings, strings that read as prose, long names.

What stands in the tree before the change, or in the task, is kept: its author did not write for this judge. Of the
rest, which the change adds, by syntax, whatever it says:

- comments and docstrings become one mark each;
- a string with more than `MAX_WORDS` words, or more than `MAX_RUNS` runs of letters, becomes a numbered mark, the same
  for the same text; code interpolated into it stays, and so do queries (`krins.pipeline.judging.sql`);
- shorter strings that together speak to a reader (`krins.pipeline.judging.speech`) become such marks as well;
- names of more than `MAX_NAME_WORDS` words, or that speak to a reader, become numbered names.

Invariants: the numbers are those of first appearance, so a text of which only such parts differ is elided to the same.
Limits: regular expressions and PHP's text outside of code stay; in a file with syntax errors a grammar may take prose
for code; other languages in strings are lost, as prose, and what comments tell programs (`noqa`, build tags).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

from tree_sitter import Node, Parser

from krins.context.languages import GRAMMARS
from krins.pipeline.judging.speech import speaking, speaks
from krins.pipeline.judging.sql import is_query_of

MAX_WORDS = 3
MAX_RUNS = 8
MAX_NAME_WORDS = 5

_COMMENTS = frozenset(("comment", "line_comment", "block_comment", "doc_comment", "html_comment"))
_STRINGS = frozenset(
    (
        "string",
        "string_literal",
        "raw_string_literal",
        "interpreted_string_literal",
        "template_string",
        "verbatim_string_literal",
        "interpolated_string_expression",
        "encapsed_string",
        "heredoc_body",
        "nowdoc_string",
        "raw_string",
        "ansi_c_string",
        "translated_string",
        "concatenated_string",
        "string_array",
        "chained_string",
        "jsx_text",
    )
)
_CODE_INSIDE = frozenset(
    (
        "interpolation",
        "template_substitution",
        "string_interpolation",
        "expansion",
        "simple_expansion",
        "command_substitution",
        "variable_name",
    )
)
_STATEMENTS = frozenset(("expression_statement", "module", "program"))
_OPENING = re.compile(r"//[/!]?|/\*+!?|#+|<!--|\"\"\"|'''|\"|'")
_CLOSINGS = {"/*": " */", "/**": " */", "/*!": " */", "<!--": " -->", '"""': '"""', "'''": "'''", '"': '"', "'": "'"}
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
_NAME = re.compile(r"[^\W\d]\w*")
_NAME_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])")
_LETTERS_PER_WORD = 2
"""Of scripts that put no blanks between words."""


def reads_as_prose(text: str) -> bool:
    unspaced = len(_UNSPACED.findall(text))
    spaced = _UNSPACED.sub(" ", text)
    words = sum(1 for word in spaced.split() if _LETTERS.search(word)) + unspaced // _LETTERS_PER_WORD
    return words > MAX_WORDS or len(_LETTERS.findall(spaced)) > MAX_RUNS


class Known(NamedTuple):
    """What may be shown although it is prose."""

    task: str
    """Its prompt."""
    texts: frozenset[str]
    """Comments and strings of the tree before the change, `folded`."""
    names: frozenset[str]


def folded(text: str) -> str:
    return " ".join(text.split())


def known(task: str, before: Sequence[tuple[str, str | None]]) -> Known:
    """Args:
    before: text and language of each file that the change touches, as it was.
    """
    texts: set[str] = set()
    for source, language in before:
        if language is not None:
            content = _bytes(source)
            texts |= {folded(_text(node)) for node in _readable(_root(content, language))}
    names = frozenset(_NAME.findall("\n".join([task, *(source for source, _ in before)])))
    return Known(folded(task), frozenset(texts), names)


class Elision:
    """Of one change: its numbers go on from file to file, in the order in which they are elided."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._numbers: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._next_name = count(1)
        self.n_speaking = 0
        """Comments, strings and names so far that speak to a reader."""

    def elide(self, source: str, language: str) -> str:
        content = _bytes(source)
        nodes = [n for n in _readable(_root(content, language)) if folded(_text(n)) not in self._known.texts]
        comments = [node for node in nodes if _is_comment(node)]
        strings = [node for node in nodes if not _is_comment(node)]
        self.n_speaking += sum(speaks(_text(node)) for node in comments)
        replacements = {node.start_byte: (node.end_byte, _comment_mark(node)) for node in comments}
        replacements |= self._string_marks(content, strings)
        return self.rename(_replaced(content, replacements))

    def rename(self, code: str) -> str:
        """With the names that read as sentences replaced."""
        return _NAME.sub(lambda match: self._name(match[0]), code)

    def _name(self, name: str) -> str:
        if name in self._known.names or len(name) <= 2:
            return name
        if name not in self._names:
            is_speaking = speaks(name)
            self.n_speaking += is_speaking
            unspaced = len(_UNSPACED.findall(name)) // _LETTERS_PER_WORD
            is_long = len(_NAME_WORD.findall(name)) + unspaced > MAX_NAME_WORDS
            self._names[name] = f"name_{next(self._next_name)}" if is_speaking or is_long else name
        return self._names[name]

    def _string_marks(self, content: bytes, strings: Sequence[Node]) -> dict[int, tuple[int, str]]:
        pieces = [list(_pieces(node)) for node in strings]
        texts = [_said(content, of_node) for of_node in pieces]
        new = [index for index, text in enumerate(texts) if folded(text) not in self._known.task]
        spoken = {new[place] for place in speaking([texts[index] for index in new])}
        self.n_speaking += len(spoken)
        return {
            start: (end, self._text_mark(content[start:end]))
            for index in new
            if index in spoken or self._is_prose(texts[index])
            for start, end in pieces[index]
            if content[start:end].strip()
        }

    def _is_prose(self, text: str) -> bool:
        return reads_as_prose(text) and not is_query_of(text, self._known.names)

    def _text_mark(self, text: bytes) -> str:
        said = text.decode("utf-8", "replace")
        number = self._numbers.setdefault(folded(said), len(self._numbers) + 1)
        return f"(text {number} left out)"


def _bytes(source: str) -> bytes:
    """Without the character at which grammars take a file to end, and with it a comment."""
    return source.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")


def _root(content: bytes, language: str) -> Node:
    return Parser(GRAMMARS[language].language).parse(content).root_node


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _readable(root: Node) -> Iterator[Node]:
    """Comments and outermost strings, in order, without recursion; the code inside strings has its own."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type in _COMMENTS:
            yield node
            continue
        inside = node.children
        if node.type in _STRINGS:
            yield node
            inside = [part for part in _descendants(node) if part.type in _CODE_INSIDE]
        pending.extend(reversed(inside))


def _descendants(string: Node) -> Iterator[Node]:
    """Of a string, down to code inside it, which is not entered."""
    pending = list(reversed(string.children))
    while pending:
        node = pending.pop()
        yield node
        if node.type not in _CODE_INSIDE:
            pending.extend(reversed(node.children))


def _is_comment(node: Node) -> bool:
    """A comment, or a string that is a statement, as docstrings are."""
    if node.type in _COMMENTS:
        return True
    parent = node.parent
    return parent is not None and parent.type in _STATEMENTS and parent.named_child_count == 1


def _comment_mark(node: Node) -> str:
    opening = _OPENING.match(_text(node))
    sign = opening[0] if opening else "#"
    end = "\n" if _text(node).endswith("\n") else ""
    return f"{sign} (comment left out){_CLOSINGS.get(sign, '')}{end}"


def _pieces(string: Node) -> Iterator[tuple[int, int]]:
    """What a string says itself, as ranges of bytes: without its quotes and the code inside it."""
    if string.type in ("jsx_text", "heredoc_body"):
        start, end = string.start_byte, string.start_byte + len((string.text or b"").rstrip())
    else:
        text = string.text or b""
        opening = re.match(rb"[A-Za-z@$]{0,3}#*(?:\"\"\"|'''|[\"'`]|%[wWqQ]?.)?", text)
        start = string.start_byte + (opening.end() if opening else 0)
        closing = re.search(rb"(?:\"\"\"|'''|[\"'`)\]}>])?#*$", text[start - string.start_byte :])
        end = start + (closing.start() if closing else 0)
    for code in (part for part in _descendants(string) if part.type in _CODE_INSIDE):
        if start < code.start_byte:
            yield start, min(code.start_byte, end)
        start = max(start, code.end_byte)
    if start < end:
        yield start, end


def _said(content: bytes, pieces: Sequence[tuple[int, int]]) -> str:
    return " ".join(content[start:end].decode("utf-8", "replace") for start, end in pieces)


def _replaced(content: bytes, replacements: dict[int, tuple[int, str]]) -> str:
    parts, position = [], 0
    for start, (end, mark) in sorted(replacements.items()):
        parts += [content[position:start].decode("utf-8", "replace"), mark]
        position = end
    return "".join([*parts, content[position:].decode("utf-8", "replace")])


__all__ = ["Elision", "Known", "folded", "known", "reads_as_prose"]
