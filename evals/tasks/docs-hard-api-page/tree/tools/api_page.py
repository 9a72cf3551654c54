"""Writes docs/api.md from the docstrings of the package.

With --check, it writes nothing, and fails if the page is not what it would write. The package is read, never imported.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "shelfmark"
PAGE = ROOT / "docs" / "api.md"
NOTE = "<!-- Written by tools/api_page.py. -->"


def module_paths():
    return sorted(path for path in PACKAGE.glob("*.py") if not path.name.startswith("_"))


def exported(tree):
    """The names in a module's `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return []


def functions(tree):
    """What a module exports of its functions, in the order of its text."""
    names = exported(tree)
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]


def signature(node):
    return f"{node.name}({ast.unparse(node.args)})"


def description(node):
    """The docstring, with examples fenced."""
    lines, in_example = [], False
    for line in (ast.get_docstring(node) or "Not described.").splitlines():
        if line.startswith(">>>") and not in_example:
            lines.append("```pycon")
            in_example = True
        elif in_example and not line.strip():
            lines.append("```")
            in_example = False
        lines.append(line)
    return "\n".join([*lines, "```"] if in_example else lines)


def anchor(heading):
    """As GitHub makes it: lower case, without punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def page():
    contents, body = [], []
    for path in module_paths():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        contents.append(f"- [{path.stem}](#{anchor(path.stem)})")
        body += [f"## {path.stem}", description(tree)]
        for node in functions(tree):
            contents.append(f"  - [{node.name}](#{anchor(node.name)})")
            body += [f"### {node.name}", f"```python\n{signature(node)}\n```", description(node)]
    return "\n\n".join([NOTE, "# API", "\n".join(contents), *body]) + "\n"


def main(arguments):
    text = page()
    if arguments == ["--check"]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE.relative_to(ROOT)} is out of date: run tools/api_page.py")
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
