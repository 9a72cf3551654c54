"""Writes docs/api.md from the docstrings of the package.

With --check, it writes nothing, and fails if the page is not what it would write. The package is read, never imported.
"""

import ast
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "shelfmark"
PAGE = ROOT / "docs" / "api.md"
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NOTE = "<!-- Written by tools/api_page.py. -->"


def module_paths():
    return sorted(path for path in PACKAGE.glob("*.py") if not path.name.startswith("_"))


def exported(tree):
    """The names in a module's `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return []


class Entry:
    """What has a heading of its own: a module, or what one exports, or a method of that."""

    def __init__(self, level, module, name, node, owner=""):
        self.level, self.module, self.name, self.node, self.owner = level, module, name, node, owner
        """The owner is the class whose methods are near: of a class itself, and of its methods."""
        self.anchor = ""


def entries():
    """All entries of the page, in order, with their anchors."""
    found = []
    for path in module_paths():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.append(Entry(2, path.stem, path.stem, tree))
        names = exported(tree)
        for node in tree.body:
            if isinstance(node, DEFINITIONS) and node.name in names:
                found.append(Entry(3, path.stem, node.name, node))
            elif isinstance(node, ast.ClassDef) and node.name in names:
                found.append(Entry(3, path.stem, node.name, node, node.name))
                found += [Entry(4, path.stem, f"{node.name}.{one.name}", one, node.name) for one in methods(node)]
    seen = Counter({anchor("API"): 1})
    for entry in found:
        plain = anchor(entry.name)
        entry.anchor = f"{plain}-{seen[plain]}" if seen[plain] else plain
        seen[plain] += 1
    return found


def decorators(node):
    return [ast.unparse(one) for one in node.decorator_list]


def methods(node):
    """The public methods of a class, in order; a property once."""
    public = [one for one in node.body if isinstance(one, DEFINITIONS) and not one.name.startswith("_")]
    return [one for one in public if not is_setter(one)]


def is_setter(node):
    return any(decorator.endswith((".setter", ".deleter")) for decorator in decorators(node))


def signature(entry):
    node = entry.node
    if isinstance(node, ast.ClassDef):
        first = next((one for one in node.body if isinstance(one, DEFINITIONS) and one.name == "__init__"), None)
        return f"{node.name}({arguments_of(first, True) if first else ''})"
    if "property" in decorators(node):
        return node.name
    bound = entry.level == 4 and "staticmethod" not in decorators(node)
    return f"{node.name}({arguments_of(node, bound)})"


def arguments_of(node, bound):
    """The arguments of a call, without the object that a method is bound to."""
    arguments = ast.parse(ast.unparse(node)).body[0].args
    if bound:
        del (arguments.posonlyargs or arguments.args)[0]
    return ast.unparse(arguments)


def description(entry, every):
    """The docstring, with examples fenced and names linked."""
    lines, in_example, in_fence = [], False, False
    for line in (ast.get_docstring(entry.node) or "Not described.").splitlines():
        if line.startswith(">>>") and not in_example and not in_fence:
            lines.append("```pycon")
            in_example = True
        elif in_example and not line.strip():
            lines.append("```")
            in_example = False
        is_mark = line.lstrip().startswith("```")
        if not (in_example or in_fence or is_mark or line.startswith("    ")):
            line = linked(line, entry, every)
        in_fence ^= is_mark
        lines.append(line)
    return "\n".join([*lines, "```"] if in_example else lines)


def linked(line, entry, every):
    def link(match):
        name = match.group(1)
        target = None if name is None else named(name.removesuffix("()"), entry, every)
        return match.group() if target in (None, entry) else f"[`{name}`](#{target.anchor})"

    return re.sub(r"\[[^]]*\]\([^)]*\)|``+[^`]+``+|`([^`]+)`", link, line)


def named(name, entry, every):
    """The entry that a name in a docstring means; None if there is none, or several."""
    named_ones = [one for one in every if one.level > 2]
    near = [one for one in named_ones if one.module == entry.module]
    for places, full in ((near, f"{entry.owner}.{name}"), (near, name)):
        for one in places:
            if one.name == full:
                return one
    found = [one for one in named_ones if name in (one.name, f"{one.module}.{one.name}")]
    return found[0] if len(found) == 1 else None


def anchor(heading):
    """As GitHub makes it: lower case, without punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def page():
    every = entries()
    contents, body = [], []
    for entry in every:
        if entry.level < 4:
            contents.append(f"{'  ' * (entry.level - 2)}- [{entry.name}](#{entry.anchor})")
        body.append(f"{'#' * entry.level} {entry.name}")
        if entry.level > 2:
            body.append(f"```python\n{signature(entry)}\n```")
        body.append(description(entry, every))
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
