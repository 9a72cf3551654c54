"""Who may call a route: keys and scopes, or, where no keys are asked for, this machine alone.

Without keys the service listens on loopback only, and a browser of this machine is still somebody else's way in: a page
that the user visits may send requests to 127.0.0.1, or let its own name resolve to it (DNS rebinding; the way into Ray
of CVE-2025-62593). So a request must then name a loopback host, and may not come from another origin.
Invariants: a route with a scope is never reached without one; the answer does not tell a wrong secret from an unknown
key id; keys are never quoted. Left out: HTTP (`serve.door`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple

from krins.errors import UserError
from serve.security.keys import ADMIN_VARIABLE, KeyRing
from serve.security.rates import Rates
from serve.web import Client, Headers, Refusal, Route, Scope

_NOBODY = Client("", frozenset())
_ANYBODY_HERE = Client("", frozenset({Scope.ADMIN}))
_BEARER = b"bearer "


class Admitted(NamedTuple):
    client: Client
    headers: Headers
    """Of the answer: what is left of the key's rate."""


class Guard:
    """Lets requests in; one a replica."""

    def __init__(self, keys: KeyRing | None, rates: Rates) -> None:
        """`keys`: None where no keys are asked for, on loopback."""
        self._keys, self._rates = keys, rates

    def admit(self, route: Route, headers: Mapping[bytes, bytes]) -> Admitted:
        """
        Raises:
            Refusal: 401, 403 or 429.
        """
        if self._keys is None:
            if not route.is_always_answered:
                _require_this_machine(headers)
            return Admitted(_ANYBODY_HERE, [])
        if route.scope is None:
            return Admitted(_NOBODY, [])
        known = self._keys.find(_presented(headers))
        if known is None:
            raise Refusal(401, "invalid_api_key", "the API key is not known, or not valid any more", "ask for a key")
        client, entry = known
        if route.scope not in client.scopes and route.scope is not Scope.ANY and Scope.ADMIN not in client.scopes:
            raise Refusal(403, "insufficient_scope", f"the key lacks the scope {route.scope}", "use another key")
        if entry is None or entry.requests_per_minute is None:
            return Admitted(client, [])
        return Admitted(client, self._rates.take(client.key_id, entry.requests_per_minute))


def require_safe_exposure(host: str, no_keys_on_loopback: bool, keys: KeyRing) -> None:
    """Refuse to start where strangers could administer the service, or nobody.

    Raises:
        UserError: there are no keys asked for off loopback, or no key of an administrator.
    """
    if is_loopback(host):
        return
    if no_keys_on_loopback:
        raise UserError(
            f"no_keys_on_loopback is set, and {host} is not loopback", "listen on 127.0.0.1, or ask for keys"
        )
    if not keys.has_admin:
        raise UserError(
            f"{host} is not loopback, and nobody has a key of an administrator",
            f"set {ADMIN_VARIABLE}, or `python -m serve.security.keys add --scope admin`",
        )


def is_loopback(host: str) -> bool:
    """Whether a host as it is bound to, or named in a Host header, is this machine's own."""
    bare = host.removeprefix("[").removesuffix("]")
    if bare.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _presented(headers: Mapping[bytes, bytes]) -> bytes:
    """The key in `Authorization: Bearer` or, as clients of Anthropic's API send it, `x-api-key`."""
    authorization = headers.get(b"authorization")
    key = headers.get(b"x-api-key")
    if authorization is not None:
        # Clients that were told two secrets send both; the bearer is the one that they call with.
        key = authorization[len(_BEARER) :].strip() if authorization[: len(_BEARER)].lower() == _BEARER else b""
    if key is None:
        raise Refusal(401, "no_api_key", "no API key was sent", "send Authorization: Bearer KEY, or x-api-key: KEY")
    return key


def _require_this_machine(headers: Mapping[bytes, bytes]) -> None:
    host = headers.get(b"host", b"").decode("latin-1")
    if not is_loopback(_without_port(host)):
        raise Refusal(403, "host_not_allowed", "the Host header does not name this machine", "call 127.0.0.1")
    if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        raise _cross_origin()
    origin = headers.get(b"origin")
    if origin is not None and origin.decode("latin-1").partition("://")[2].lower() != host.lower():
        raise _cross_origin()


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _cross_origin() -> Refusal:
    return Refusal(403, "cross_origin", "pages of other origins may not call this service", "use its own page")
