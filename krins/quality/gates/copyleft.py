"""Whether a licence leaves a user no way around the GPL and its kin (GPL, LGPL, AGPL).

Licences are SPDX expressions: of `A OR B` a user takes the one they like, to `A AND B` they are bound by both.
Invariant: an expression that cannot be read is None, never "no". An exception (`WITH Classpath-exception-2.0`) changes
what a licence asks for and not its kind: it counts as the licence. Left out: other copyleft, such as MPL or EUPL.
Source: https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from license_expression import Licensing

_MOST_CHARACTERS = 500
"""Packages are known to give the whole text of their licence instead."""
_KIN = re.compile(r"[AL]?GPL(?:$|[v\d-])", re.IGNORECASE)
"""Of an SPDX identifier, or of what people write for one."""
_CLASSIFIER = re.compile(r"License :: OSI Approved :: (.*)")


def is_copyleft(expression: str) -> bool | None:
    """Whether every way to satisfy an SPDX expression is one of the GPL's kin; None where it is no such expression."""
    from license_expression import ExpressionError

    licensing = _licensing()
    if len(expression) > _MOST_CHARACTERS:
        return None
    try:
        parsed = licensing.parse(expression)
    except (ExpressionError, RecursionError):
        return None
    if parsed is None:
        return None
    if _binds(parsed):
        return True
    return None if licensing.unknown_license_keys(parsed) else False


def is_copyleft_by_classifiers(classifiers: list[str]) -> bool | None:
    """The same of a Python package's classifiers, among which a user may choose; None where none names a licence."""
    names = [match.group(1) for classifier in classifiers if (match := _CLASSIFIER.match(classifier))]
    return all("GNU" in name and "General Public License" in name for name in names) if names else None


@cache
def _licensing() -> Licensing:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _binds(node: Any) -> bool:
    if node.isliteral:
        licence = getattr(node, "license_symbol", node)  # of a licence with an exception
        return _KIN.match(licence.key) is not None
    return (all if node.operator.strip() == "OR" else any)(_binds(part) for part in node.args)
