"""Which route a request takes: an index over the table of routes.

Exact paths are found by one dictionary look-up; paths with parameters are tried after, in the table's order, and a
parameter is one non-empty segment. Invariant: a path that exists under another method is 405 and names the methods in
Allow (RFC 9110, section 15.5.6), and any other is 404. HEAD is GET without its body, which the server leaves out.
Left out: what the route asks for (`serve.door`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from serve.web import Refusal, Route

_PARAMETER = re.compile(r"\{(\w+)\}")
_NONE: Mapping[str, str] = {}


class Match(NamedTuple):
    route: Route
    params: Mapping[str, str]


class RouteTable:
    def __init__(self, routes: Sequence[Route]) -> None:
        """Raises ValueError where two routes are the same operation."""
        self._exact: dict[str, dict[str, Match]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for route in routes:
            methods: Mapping[str, object]
            if "{" in route.path:
                methods = self._patterns.setdefault(route.path, (_compile(route.path), {}))[1]
                self._patterns[route.path][1][route.method] = _unique(methods, route)
            else:
                methods = self._exact.setdefault(route.path, {})
                self._exact[route.path][route.method] = Match(_unique(methods, route), _NONE)

    def match(self, method: str, path: str) -> Match:
        """
        Raises:
            Refusal: 404 or 405.
        """
        method = "GET" if method == "HEAD" else method
        allowed: set[str] = set()
        if methods := self._exact.get(path):
            if found := methods.get(method):
                return found
            allowed.update(methods)
        for pattern, routes in self._patterns.values():
            if hit := pattern.fullmatch(path):
                if route := routes.get(method):
                    return Match(route, hit.groupdict())
                allowed.update(routes)
        raise (
            _other_method(allowed)
            if allowed
            else Refusal(404, "no_such_route", "there is no such path", "see /openapi.json for what there is")
        )


def _compile(path: str) -> re.Pattern[str]:
    literal = _PARAMETER.split(path)
    parts = (f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(literal))
    return re.compile("".join(parts))


def _unique(methods: Mapping[str, object], route: Route) -> Route:
    if route.method in methods:
        raise ValueError(f"two routes are {route.method} {route.path}")
    return route


def _other_method(allowed: set[str]) -> Refusal:
    methods = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    return Refusal(
        405,
        "method_not_allowed",
        "the path takes other methods",
        f"use {methods}",
        headers=[(b"allow", methods.encode())],
    )
