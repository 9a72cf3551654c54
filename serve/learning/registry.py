"""Watching the registry: whether there is another champion, asked often and at little cost.

A registry in an SQLite file is asked only when the file has changed; one behind HTTP by one request for the alias
(MLflow REST API, "Get Model Version By Alias"). Only where there is news, or where neither is possible, does a process
of its own load the version (`fetch`). Invariants: a registry that is out of reach, or has a router with arms that
nobody knows how to ask, changes nothing, and `status` says so; the value of a password is in no message. Left out: what
to do with a champion (`takeover`).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import urllib.request
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlencode

from krins.errors import KrinsError, RegistryError, TrackingFault, UserError
from krins.runs.store import Store, default_home
from krins.runs.tracking import resolve_uri
from krins.runs.tracking.registry import parse_model_uri
from serve.home import SUITE
from serve.learning.aside import PATIENCE_SECONDS, Ended, run_aside
from serve.learning.loading import Loaded

UNASKABLE = 3
"""Exit code of `fetch` for a router with arms that nobody knows how to ask."""
_ASK_SECONDS = 5.0
_SLOW_SECONDS = 60.0


class Registry:
    """Where the service's router comes from.

    Args:
        uri: as `serve.settings.ServiceArgs.router`.
        models: that the service is told how to ask; others it finds in the catalogue, or not.
    """

    def __init__(
        self,
        uri: str,
        tracking_uri: str | None,
        home: Path | None,
        models: Collection[str] = (),
    ) -> None:
        self.uri, self._home, self._models = uri, home or default_home(), models
        self._asked_uri = tracking_uri
        self._known: object = None
        """What told of news was when it was last looked at."""
        self._asked_at_seconds = 0.0
        self.status = "not asked yet"

    @property
    def moves(self) -> bool:
        """Whether the same name may mean another version tomorrow."""
        try:
            return not self.uri.startswith(SUITE) and parse_model_uri(self.uri).alias is not None
        except RegistryError:  # `look` says so
            return False

    async def look(self, now_seconds: float, force: bool = False) -> Loaded | None:
        """The champion, if there may be another one since the last look.

        Raises:
            TrackingFault: the registry is out of reach, or does not hand it out.
            UserError: `uri` names no router, or one with arms that nobody knows how to ask; it is not loaded again
                before the registry changes.
        """
        sign: object = None
        try:
            sign = await asyncio.to_thread(self._sign)
            is_due = sign is not None or now_seconds - self._asked_at_seconds >= _SLOW_SECONDS
            if not force and (not is_due or (sign is not None and sign == self._known)):
                return None
            self._asked_at_seconds = now_seconds
            loaded = await self._fetch()
        except UserError as failure:
            self._known, self.status = sign, f"not taken over: {failure.message}; {failure.remedy}"
            raise
        except TrackingFault as failure:
            self.status = f"out of reach: {failure.message}"
            raise
        self._known, self.status = sign, "ok"
        return loaded

    def forget(self) -> None:
        """Load again at the next look: what was loaded last could not be used."""
        self._known, self._asked_at_seconds = None, 0.0

    def _sign(self) -> object:
        """Something that changes when the registry does; None where nothing like that is to be had."""
        if self.uri.startswith(SUITE):
            return self.uri
        which = parse_model_uri(self.uri)
        uri = resolve_uri(Store(self._home), self._asked_uri)
        if uri.startswith("sqlite:///"):
            path = Path(uri.removeprefix("sqlite:///"))
            return _stamp(path), _stamp(path.with_name(path.name + "-wal"))
        if uri.startswith(("http://", "https://")) and which.alias is not None:
            return self._version_over_http(uri, which.name, which.alias)
        return None

    def _version_over_http(self, uri: str, name: str, alias: str) -> str | None:
        """The version that the alias stands at; None where the server has another way, and has to be asked by MLflow's
        own client."""
        query = urlencode({"name": name, "alias": alias})
        request = urllib.request.Request(f"{uri.rstrip('/')}/api/2.0/mlflow/registered-models/alias?{query}")
        token, user = os.environ.get("MLFLOW_TRACKING_TOKEN"), os.environ.get("MLFLOW_TRACKING_USERNAME")
        if user:
            secret = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
            request.add_header("Authorization", f"Basic {base64.b64encode(secret.encode()).decode()}")
        elif token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=_ASK_SECONDS) as answer:
                return str(json.load(answer)["model_version"]["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    async def _fetch(self) -> Loaded:
        asked = (self.uri, self._asked_uri or "", str(self._home), *self._models)
        try:
            ended = await run_aside("serve.learning.fetch", *asked)
        except TimeoutError:
            raise TrackingFault(f"{self.uri} was not loaded within {PATIENCE_SECONDS:.0f} s", "see to it") from None
        lines = ended.out.strip().splitlines()
        if ended.exit_code or not lines:
            raise _failure(ended)
        try:
            return Loaded.model_validate_json(Path(lines[-1]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as failure:
            raise TrackingFault(f"{lines[-1]} cannot be read: {failure}", "see to it") from failure


def _stamp(path: Path) -> tuple[int, int] | None:
    """Time and size of a file; None where there is none, for SQLite removes its log whenever it is not needed."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _failure(ended: Ended) -> KrinsError:
    if ended.exit_code == UNASKABLE:
        message, _, remedy = ended.err.strip().partition("\n  remedy: ")
        return UserError(message, remedy)
    words = " ".join(ended.err.split())[-600:] or f"exit code {ended.exit_code}"
    return TrackingFault(words, "what is loaded already goes on serving")
