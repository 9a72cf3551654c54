"""Small trees and random ones, and the reading of a context's text back into numbered lines."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hypothesis import strategies as st

from krins.context.graph import CodeGraph
from krins.context.index import CodeIndex
from krins.context.tree import MemoryTree

SHOP = {
    "shop/__init__.py": "",
    "shop/money.py": '''"""Money."""

import decimal

CENT = decimal.Decimal("0.01")


class Money:
    """An amount."""

    currency = "EUR"

    def __init__(self, amount):
        self.amount = amount

    def rounded(self):
        """To the cent."""
        return self.amount.quantize(CENT)


def total(amounts):
    """The sum."""
    return sum(amounts, decimal.Decimal())
''',
    "shop/invoice.py": """from shop.money import Money, total


def invoice_total(lines):
    amount = total(line.price for line in lines)
    return Money(amount).rounded()


def print_invoice(lines):
    for line in lines:
        print(line)
""",
    "tests/test_invoice.py": """from shop.invoice import invoice_total


def test_total():
    assert invoice_total([]).amount == 0
""",
}


def graph_of(files: Mapping[str, str]) -> tuple[CodeGraph, MemoryTree]:
    tree = MemoryTree(files)
    return CodeIndex(tree).update(), tree


_NAMES = st.sampled_from(["alpha", "beta_gamma", "Delta", "parseURL", "run", "x"])


@st.composite
def _functions(draw: st.DrawFn, indent: str) -> str:
    lines = [f"{indent}@wraps\n"] if draw(st.booleans()) else []
    lines.append(f"{indent}def {draw(_NAMES)}(a, b={draw(st.integers(0, 9))}):\n")
    if draw(st.booleans()):
        lines.append(f'{indent}    """Does {draw(_NAMES)}.\n\n{indent}    More.\n{indent}    """\n')
    lines += [f"{indent}    {draw(_NAMES)}(a, 'é€')\n" for _ in range(draw(st.integers(1, 6)))]
    return "".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"]))


@st.composite
def _modules(draw: st.DrawFn) -> str:
    parts: list[str] = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["import", "constant", "function", "class", "broken", "blank"]))
        if kind == "import":
            parts.append(f"import {draw(_NAMES)}\n")
        elif kind == "constant":
            parts.append(f"{draw(_NAMES)} = {draw(st.integers())}\n")
        elif kind == "function":
            parts.append(draw(_functions("")))
        elif kind == "class":
            body = "".join(draw(_functions("    ")) for _ in range(draw(st.integers(1, 3))))
            parts.append(f"class {draw(_NAMES)}:\n    kind = 1\n{body}")
        elif kind == "broken":
            parts.append("def (:\n")
        else:
            parts.append("\n \n")
    text = "".join(parts)
    return text if draw(st.booleans()) else text.rstrip("\n")


def trees() -> st.SearchStrategy[dict[str, str]]:
    paths = st.sampled_from(["a.py", "pkg/b.py", "pkg/sub/c.py", "tests/test_d.py", "z.py"])
    return st.dictionaries(paths, _modules(), max_size=5)


def numbered_lines(text: str, lengths: Mapping[str, int]) -> dict[str, dict[int, str]]:
    """Of each file that a context shows: line number to line. What has no `@@` is there from line 1 on, in full."""
    files: dict[str, dict[int, str]] = {}
    lines: dict[int, str] = {}
    number = 1
    for line in text.split("\n")[:-1]:
        path = line.removeprefix("=== ")
        if path != line and path in lengths:
            lines = files[path] = {}
            number = 1
        elif line == "=== Not shown:" or re.fullmatch(r"=== \d+ more files? left out", line):
            lines = {}
        elif mark := re.fullmatch(r"@@ (\d+)", line):
            number = int(mark[1])
        else:
            lines[number] = line
            number += 1
    return files
