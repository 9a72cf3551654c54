"""From a model's answer to Python source.

The answer is read as Markdown; of its fenced blocks the first that is Python and defines or assigns something is
taken. Small models lose fences: where no block will do, all of the answer counts as code if, its fence lines aside, it
is Python. Left out: judging the code.
"""

from __future__ import annotations

import ast

from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def extract_code(answer: str) -> str | None:
    """The Python source in `answer`, or None where there is none that parses."""
    fenced = [token.content for token in _MARKDOWN.parse(answer) if token.type == "fence"]
    bare = "\n".join(line for line in answer.splitlines() if not line.lstrip().startswith("```"))
    return next((code for code in [*fenced, bare] if _defines_something(code)), None)


def _defines_something(code: str) -> bool:
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, _DEFINITIONS) for node in body)
