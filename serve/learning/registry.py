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
import sys
import urllib.request
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlencode

from krins.errors import KrinsError, TrackingFault, UserError
from krins.runs.store import Store, default_home
from krins.runs.tracking import resolve_uri
from krins.runs.tracking.registry import parse_model_uri
from serve.learning.loading import SUITE, Loaded

UNASKABLE = 3
"""Exit code of `fetch` for a router with arms that nobody knows how to ask."""
_PATIENCE_SECONDS = 120.0
_ASK_SECONDS = 5.0
_ROOT = Path(__file__).parents[2]
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
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.uri, self._home, self._models = uri, home or default_home(), models
        self._environ = environ
        self._asked_uri = tracking_uri
        self._known: object = None
        """What told of news was when it was last looked at."""
        self._asked_at_seconds = 0.0
        self.status = "not asked yet"

    @property
    def moves(self) -> bool:
        """Whether the same name may mean another version tomorrow."""
        return not self.uri.startswith(SUITE) and parse_model_uri(self.uri).alias is not None

    async def look(self, now_seconds: float, force: bool = False) -> Loaded | None:
        """The champion, if there may be another one since the last look.

        Raises:
            TrackingFault: the registry is out of reach, or does not hand it out.
            UserError: it has arms that nobody knows how to ask; it is not loaded again before the registry changes.
        """
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
        uri = resolve_uri(Store(self._home), self._asked_uri)
        if uri.startswith("sqlite:///"):
            path = Path(uri.removeprefix("sqlite:///"))
            parts = (path, path.with_name(path.name + "-wal"))
            return tuple((stat.st_mtime_ns, stat.st_size) for part in parts if part.exists() for stat in [part.stat()])
        which = parse_model_uri(self.uri)
        if uri.startswith(("http://", "https://")) and which.alias is not None:
            return self._version_over_http(uri, which.name, which.alias)
        return None

    def _version_over_http(self, uri: str, name: str, alias: str) -> str | None:
        """The version that the alias stands at; None where the server has another way, and has to be asked by MLflow's
        own client."""
        query = urlencode({"name": name, "alias": alias})
        request = urllib.request.Request(f"{uri.rstrip('/')}/api/2.0/mlflow/registered-models/alias?{query}")
        token, user = self._environ.get("MLFLOW_TRACKING_TOKEN"), self._environ.get("MLFLOW_TRACKING_USERNAME")
        if user:
            secret = f"{user}:{self._environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
            request.add_header("Authorization", f"Basic {base64.b64encode(secret.encode()).decode()}")
        elif token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=_ASK_SECONDS) as answer:
                return str(json.load(answer)["model_version"]["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    async def _fetch(self) -> Loaded:
        path = os.pathsep.join(filter(None, (str(_ROOT), self._environ.get("PYTHONPATH"))))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "serve.learning.fetch",
            self.uri,
            self._asked_uri or "",
            str(self._home),
            *self._models,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self._environ, "PYTHONPATH": path},
        )
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                out, err = await process.communicate()
        except TimeoutError:
            raise TrackingFault(f"{self.uri} was not loaded within {_PATIENCE_SECONDS:.0f} s", "see to it") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        lines = out.decode().strip().splitlines()
        if process.returncode or not lines:
            raise _failure(process.returncode, err.decode(errors="replace"))
        try:
            return Loaded.model_validate_json(Path(lines[-1]).read_text(encoding="utf-8"))
        except (OSError, ValueError) as failure:
            raise TrackingFault(f"{lines[-1]} cannot be read: {failure}", "see to it") from failure


def _failure(exit_code: int | None, said: str) -> KrinsError:
    if exit_code == UNASKABLE:
        message, _, remedy = said.strip().partition("\n  remedy: ")
        return UserError(message, remedy)
    words = " ".join(said.split())[-600:] or f"exit code {exit_code}"
    return TrackingFault(words, "what is loaded already goes on serving")
