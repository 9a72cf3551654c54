"""Security findings in JavaScript and TypeScript: text that is run as code or as a command.

Three rules, on the syntax tree: `eval(...)` and `window.eval(...)`; `new Function(...)` and `Function(...)`; `exec` or
`execSync` of a template with holes in it, or of a sum. Invariants: no recursion, so nesting is no limit; what does not
parse is read as far as it does. Left out: where a value comes from; what has been given another name first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from tree_sitter import Language, Parser, Query, QueryCursor

from krins.quality.gates.findings import Finding, Scanned, lines_of

_GRAMMARS = {
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs"), ("tree_sitter_javascript", "language")),
    **dict.fromkeys((".ts", ".mts", ".cts"), ("tree_sitter_typescript", "language_typescript")),
    ".tsx": ("tree_sitter_typescript", "language_tsx"),
}
_RULES = """
(call_expression function: (identifier) @name (#eq? @name "eval")) @eval
(call_expression function: (member_expression
  object: (identifier) @object (#any-of? @object "window" "globalThis" "global" "self")
  property: (property_identifier) @name (#eq? @name "eval"))) @eval
([(new_expression constructor: (identifier) @name) (call_expression function: (identifier) @name)]
  @function (#eq? @name "Function"))
(call_expression
  function: [(identifier) @name (member_expression property: (property_identifier) @name)]
  arguments: (arguments . [(template_string (template_substitution)) (binary_expression)])
  (#any-of? @name "exec" "execSync")) @exec
"""
_MESSAGES = {
    "eval": "eval runs text as code",
    "function": "Function makes code of text",
    "exec": "a shell command is put together from values",
}


def is_javascript(path: str) -> bool:
    return _suffix(path) in _GRAMMARS


def scan_javascript(texts: Mapping[str, str]) -> Scanned:
    """Implements `krins.quality.gates.findings.Scan`."""
    return Scanned([finding for path, text in texts.items() for finding in _findings(path, text)])


def _findings(path: str, text: str) -> Iterator[Finding]:
    parser, query = _parser(*_GRAMMARS[_suffix(path)])
    captures = QueryCursor(query).captures(parser.parse(text.encode("utf-8", "replace")).root_node)
    for rule, message in _MESSAGES.items():
        for node in captures.get(rule, ()):
            first, last = node.start_point.row + 1, node.end_point.row + 1
            yield Finding(path, first, f"javascript-{rule}", message, lines_of(text, first, last))


def _parser(module: str, entry_point: str) -> tuple[Parser, Query]:
    language = Language(getattr(import_module(module), entry_point)())
    return Parser(language), Query(language, _RULES)


def _suffix(path: str) -> str:
    return path[path.rfind(".") :].lower()
