"""The registry: routers that won, as versions of an MLflow registered model, and the alias that says which one serves.

Invariants: an alias moves only after everything that it will point at is written, so that whoever loads by it never
finds a half; former versions keep theirs. A study registers once, however often it is told to. Loading writes nothing
to the server, and makes no database. Left out: what the files say (`krins.studies.champion_file`).
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from krins.errors import KrinsError, RegistryError, StateError, TrackingFault
from krins.runs.store import Store
from krins.runs.tracking import PATIENCE_SECONDS, Server, resolve_uri, within, without_secret
from krins.runs.tracking.mlflow_store import MlflowStore, quiet_mlflow
from krins.runs.tracking.tracked_run import TrackedRun

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

CHAMPION = "champion"
"""The alias of the version that serves, and the folder of its run's artifacts."""
STUDY_TAG = "krins.study_id"
DATA_TAG = "krins.data_sha256"
_URI = re.compile(r"models:/(?P<name>[^/:@]+)(@(?P<alias>[^/@]+)|/(?P<version>[1-9]\d*))")
_NO_SUCH_THING = "RESOURCE_DOES_NOT_EXIST"
_DAMAGED = "load another version, or register the study again: krins-eval tune --resume STUDY --register NEW_NAME"
_UNREACHABLE = "see that the server runs and that the address is right; --tracking-uri or MLFLOW_TRACKING_URI sets it"


class Which(NamedTuple):
    """A version of a registered model, by number or by alias; one of the two is None."""

    name: str
    version: str | None
    alias: str | None


class Replaced(NamedTuple):
    """The version that an alias stood at before."""

    version: str
    study_id: str | None


class Registration(NamedTuple):
    """A study's winner in a registry."""

    name: str
    version: str
    champion: str
    """The version that `CHAMPION` stands at."""
    replaced: Replaced | None = None
    """None where the alias was not moved, or there was none."""


class Registered(NamedTuple):
    """A version, as it was fetched."""

    name: str
    version: str
    tags: Mapping[str, str]
    files: Mapping[str, str]
    """File name to text."""


def parse_model_uri(uri: str) -> Which:
    """
    Raises:
        RegistryError: it is none of models:/NAME@ALIAS and models:/NAME/VERSION.
    """
    found = _URI.fullmatch(uri)
    if found is None:
        raise RegistryError(
            f"{uri!r} does not name a registered router",
            "name it as models:/NAME@champion, or models:/NAME/3 for a certain version",
        )
    return Which(found["name"], found["version"], found["alias"])


def find_registered(server: Server, name: str, version: str, study_id: str) -> Registration | None:
    """A study's version, if the registry has it still, and a champion. To be used within `on_server`."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    client = MlflowClient(server.uri, server.uri)
    server.check()
    try:
        tags = client.get_model_version(name, version).tags
        server.check()
        champion = client.get_registered_model(name).aliases.get(CHAMPION)
    except MlflowException as failure:
        if failure.error_code != _NO_SUCH_THING:
            raise
        return None
    is_there = champion is not None and tags.get(STUDY_TAG) == study_id
    return Registration(name, version, str(champion)) if is_there else None


def register(server: Server, tracked: TrackedRun, folder: Path, name: str, tags: Mapping[str, str]) -> Registration:
    """Log a study and make its winner the champion. To be used within `on_server`.

    Args:
        tracked: the study; its run carries the files.
        folder: the winner's files.
        name: of the registered model.
        tags: of the version; `STUDY_TAG` tells whether it is there already.
    """
    from mlflow.tracking import MlflowClient

    mlflow_run_id = MlflowStore(*server).log(tracked)
    client = MlflowClient(server.uri, server.uri)
    _ensure_model(client, server.check, name)
    server.check()
    versions = client.search_model_versions(f"name = '{name}'", max_results=10_000)
    version = next((each for each in versions if each.tags.get(STUDY_TAG) == tags[STUDY_TAG]), None)
    if version is None:
        server.check()
        client.log_artifacts(mlflow_run_id, str(folder), CHAMPION)
        server.check()
        source = f"{client.get_run(mlflow_run_id).info.artifact_uri}/{CHAMPION}"
        version = client.create_model_version(name, source, mlflow_run_id, dict(tags))
    server.check()
    before = client.get_registered_model(name).aliases.get(CHAMPION)
    server.check()
    client.set_registered_model_alias(name, CHAMPION, version.version)
    return Registration(name, str(version.version), str(version.version), _replaced(versions, before, version.version))


def _replaced(versions: Iterable[ModelVersion], before: str | None, now: str) -> Replaced | None:
    if before is None or str(before) == str(now):
        return None
    studies = {str(each.version): each.tags.get(STUDY_TAG) for each in versions}
    return Replaced(str(before), studies.get(str(before)))


def _ensure_model(client: MlflowClient, check: Callable[[], None], name: str) -> None:
    from mlflow.exceptions import MlflowException

    check()
    try:
        client.create_registered_model(name)
    except MlflowException as failure:
        if failure.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def fetch(
    store: Store, tracking_uri: str | None, which: Which, patience_seconds: float = PATIENCE_SECONDS
) -> Registered:
    """A version with its files.

    Raises:
        RegistryError: there is no such model, version or alias, or no database.
        StateError: the version's files are missing or no text.
        TrackingFault: the server is out of reach, or too slow.
    """
    uri = resolve_uri(store, tracking_uri)
    _refuse_missing_database(uri)
    began = time.monotonic()
    try:
        with quiet_mlflow():
            return within(patience_seconds - (time.monotonic() - began), lambda check: _fetch(uri, which, check))
    except KrinsError:
        raise
    except Exception as failure:
        detail = without_secret(" ".join(str(failure).split()))[:400] or type(failure).__name__
        raise TrackingFault(f"{without_secret(uri)} did not hand out {which.name}: {detail}", _UNREACHABLE) from failure


def _refuse_missing_database(uri: str) -> None:
    """MLflow would make an empty one."""
    path = Path(uri.removeprefix("sqlite:///").replace("%3F", "?").replace("%25", "%"))
    if uri.startswith("sqlite:///") and not path.exists():
        raise RegistryError(
            f"{path}: there is no MLflow database", "give the home, or the tracking server, that the study was kept in"
        )


def _fetch(uri: str, which: Which, check: Callable[[], None]) -> Registered:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri, uri)
    version = _find(client, which, check)
    what = f"{which.name!r} version {version.version}"
    run_id = version.run_id or ""
    with tempfile.TemporaryDirectory(prefix="krins-") as folder:
        check()
        if not _has_files(client, run_id):
            raise StateError(f"the server holds no files of {what}", _DAMAGED)
        check()
        paths = Path(client.download_artifacts(run_id, CHAMPION, folder)).iterdir()
        try:
            files = {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}
        except UnicodeDecodeError as failure:
            raise StateError(f"a file of {what} was damaged: it is no text", _DAMAGED) from failure
    return Registered(which.name, str(version.version), version.tags, files)


def _has_files(client: MlflowClient, run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.list_artifacts(run_id, CHAMPION))
    except MlflowException as failure:
        if failure.error_code != _NO_SUCH_THING:
            raise
        return False


def _find(client: MlflowClient, which: Which, check: Callable[[], None]) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    check()
    try:
        model = client.get_registered_model(which.name)
    except MlflowException as failure:
        if failure.error_code != _NO_SUCH_THING:
            raise
        known = ", ".join(sorted(each.name for each in client.search_registered_models())) or "none"
        raise RegistryError(
            f"there is no registered router {which.name!r}",
            f"there are: {known}; `krins-eval tune SUITE --register NAME` makes one",
        ) from None
    check()
    number = which.version if which.alias is None else model.aliases.get(which.alias)
    versions = {str(each.version): each for each in client.search_model_versions(f"name = '{which.name}'")}
    if number is None or str(number) not in versions:
        asked = f"version {which.version}" if which.alias is None else f"alias {which.alias!r}"
        aliases = ", ".join(f"@{alias} (version {of})" for alias, of in sorted(model.aliases.items())) or "no alias"
        raise RegistryError(
            f"the registered router {which.name!r} has no {asked}",
            f"it has the versions {', '.join(sorted(versions, key=int)) or 'none'}, and {aliases}",
        )
    return versions[str(number)]
