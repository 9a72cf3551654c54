"""Small trees and random ones, and the reading of a context's text back into numbered lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from krins.context.excerpt import LEGEND
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


_HEAD = re.compile(r"=== (.*) \((?:(\d+) of )?(\d+) lines?\)")
_MARK = re.compile(r"(\d+):(.*)", re.DOTALL)


def numbered_lines(text: str) -> dict[str, dict[int, str]]:
    """Of each file that a context shows: line number to line, read as the context's legend says."""
    files: dict[str, dict[int, str]] = {}
    rest = text.split("\n")[:-1]
    rest = rest[1:] if rest[:1] == [LEGEND.rstrip("\n")] else rest
    while rest and (head := _HEAD.fullmatch(rest[0])):
        del rest[0]
        n_shown = int(head[2] or head[3])
        files[head[1]] = _of_a_part(rest[:n_shown]) if head[2] else dict(enumerate(rest[:n_shown], start=1))
        del rest[:n_shown]
    return files


def _of_a_part(lines: Sequence[str]) -> dict[int, str]:
    numbered: dict[int, str] = {}
    number = 0
    for line in lines:
        number += 1
        if mark := _MARK.match(line):
            number, line = int(mark[1]), mark[2]
        numbered[number] = line
    return numbered
