"""From a model's answer to Python source.

The answer is read as Markdown; of its fenced blocks the first that is Python and defines or assigns something is
taken. An answer without any fence counts as code if all of it is Python. Left out: judging the code.
"""

from __future__ import annotations

import ast

from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def extract_code(answer: str) -> str | None:
    """The Python source in `answer`, or None where there is none that parses."""
    fences = [token.content for token in _MARKDOWN.parse(answer) if token.type == "fence"]
    return next((code for code in fences or [answer] if _defines_something(code)), None)


def _defines_something(code: str) -> bool:
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, _DEFINITIONS) for node in body)
