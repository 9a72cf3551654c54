"""Security findings in JavaScript and TypeScript: text that is run as code or as a command.

Three rules, on the syntax tree: `eval(...)` and `window.eval(...)`; `new Function(...)` and `Function(...)`; `exec` or
`execSync`, bare or of `child_process`, of a template with holes in it, or of a sum: regular expressions have an `exec`
as well. Invariants: no recursion, so nesting is no limit; what does not
parse is read as far as it does. Left out: where a value comes from; what has been given another name first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module

from tree_sitter import Language, Node, Parser, Query, QueryCursor

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
(call_expression function: (subscript_expression
  object: (identifier) @object (#any-of? @object "window" "globalThis" "global" "self")
  index: (string (string_fragment) @name (#eq? @name "eval")))) @eval
(call_expression function: (parenthesized_expression
  (sequence_expression (identifier) @name . (#eq? @name "eval")))) @eval
([(new_expression constructor: (identifier) @name) (call_expression function: (identifier) @name)]
  @function (#eq? @name "Function"))
(new_expression constructor: (member_expression
  object: (identifier) @object (#any-of? @object "window" "globalThis" "global" "self")
  property: (property_identifier) @name (#eq? @name "Function"))) @function
(call_expression
  function: [(identifier) @name (member_expression property: (property_identifier) @name)]
  arguments: (arguments . [(template_string (template_substitution)) (binary_expression operator: "+")])
  (#any-of? @name "exec" "execSync")) @exec
(variable_declarator name: (identifier) @shell
  value: (call_expression function: (identifier) @name arguments: (arguments . (string (string_fragment) @module)))
  (#eq? @name "require") (#any-of? @module "child_process" "node:child_process"))
(import_statement (import_clause [(identifier) @shell (namespace_import (identifier) @shell)])
  source: (string (string_fragment) @module (#any-of? @module "child_process" "node:child_process")))
"""
_MESSAGES = {
    "eval": "eval runs text as code",
    "function": "Function makes code of text",
    "exec": "a shell command is put together from values",
}
_SHELLS = frozenset({b"child_process", b"childProcess", b"cp"})
"""What the module is called where a text does not say."""
_REQUIRED = re.compile(rb"require\(\s*['\"](?:node:)?child_process['\"]\s*\)")


def is_javascript(path: str) -> bool:
    return _suffix(path) in _GRAMMARS


def scan_javascript(texts: Mapping[str, str]) -> Scanned:
    """Implements `krins.quality.gates.findings.Scan`."""
    return Scanned([finding for path, text in texts.items() for finding in _findings(path, text)])


def _findings(path: str, text: str) -> Iterator[Finding]:
    parser, query = _parser(*_GRAMMARS[_suffix(path)])
    captures = QueryCursor(query).captures(parser.parse(text.encode("utf-8", "replace")).root_node)
    shells = _SHELLS | {node.text for node in captures.get("shell", ())}
    for rule, message in _MESSAGES.items():
        for node in captures.get(rule, ()):
            if rule == "exec" and not _runs_commands(node, shells):
                continue
            first, last = node.start_point.row + 1, node.end_point.row + 1
            yield Finding(path, first, f"javascript-{rule}", message, lines_of(text, first, last))


def _runs_commands(call: Node, shells: Collection[bytes | None]) -> bool:
    """Whether an `exec` is bare, or of `child_process`."""
    function = call.child_by_field_name("function")
    of = function.child_by_field_name("object") if function else None
    return of is None or of.text in shells or _REQUIRED.fullmatch(of.text or b"") is not None


def _parser(module: str, entry_point: str) -> tuple[Parser, Query]:
    language = Language(getattr(import_module(module), entry_point)())
    return Parser(language), Query(language, _RULES)


def _suffix(path: str) -> str:
    return path[path.rfind(".") :].lower()
