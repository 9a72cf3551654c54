"""MLflow as a place to log runs to: quiet, in few calls, and without touching MLflow's global state.

Invariants: importing this module does not import MLflow, which takes seconds; MLflow's usage statistics stay off and
its requests end early unless the user's environment says otherwise; a run counts as logged when its parent is FINISHED,
so one that a killed process left is recognised and logged anew. Left out: what is logged (`tracked_run`).
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from krins.errors import TrackingFault
from krins.runs.tracking.traces import mlflow_spans
from krins.runs.tracking.tracked_run import Entry, TrackedRun

if TYPE_CHECKING:
    from mlflow.entities import Experiment
    from mlflow.tracking import MlflowClient

_RUN_TAG = "krins.run_id"
_PARENT_TAG = "mlflow.parentRunId"
_TRACES_TAG = "krins.traces"
_METRICS_A_CALL = 800
"""A call may carry 1000 things, parameters and tags among them."""
_TRACES_A_CALL = 100
"""As many as may be linked to a run at once."""

_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Settings of MLflow's that apply where the user has set none. Its own let a dead server take several minutes."""


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Import MLflow, and keep its messages and those of the libraries beneath it off the terminal.

    Nothing is lost: what fails raises. Among them is SQLAlchemy's warning of a deprecated call inside MLflow.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    retries = logging.getLogger("urllib3.connectionpool")  # warns of every request that it makes again
    level = retries.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.utils.logging_utils import MLFLOW_LOGGING_STREAM

        was_enabled, MLFLOW_LOGGING_STREAM.enabled = MLFLOW_LOGGING_STREAM.enabled, False
        retries.setLevel(logging.ERROR)
        try:
            yield
        finally:
            retries.setLevel(level)
            MLFLOW_LOGGING_STREAM.enabled = was_enabled


def sqlite_uri(path: Path) -> str:
    """The URI of a database file."""
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")  # the two that a URL reads otherwise


def create_database(path: Path) -> None:
    """Make an empty MLflow database, whole or not at all: MLflow cannot go on with one that is half made.

    To be used within `quiet_mlflow`, by one process at a time.
    """
    from mlflow.tracking import MlflowClient

    draft = path.with_name(f".{path.name}.draft")
    for left_over in path.parent.glob(f"{draft.name}*"):
        left_over.unlink()
    MlflowClient(sqlite_uri(draft)).search_experiments(max_results=1)
    draft.replace(path)


class MlflowStore:
    """Logs runs to one MLflow server or database. To be used within `quiet_mlflow`."""

    def __init__(self, uri: str, artifacts: Path | None, check: Callable[[], None]) -> None:
        """`artifacts`: where new experiments keep files; None leaves it to the server. `check` is called before each
        call and may raise to end the work."""
        self._uri, self._artifacts, self._check = uri, artifacts, check

    def log(self, run: TrackedRun) -> str:
        """Log a run, unless it was logged before; returns MLflow's id of its parent run.

        Raises:
            TrackingFault: its experiment was deleted. Exception: whatever MLflow raises.
        """
        from mlflow.tracking import MlflowClient

        client = MlflowClient(self._uri)
        experiment_id = self._experiment_id(client, run.experiment)
        logged = self._find_or_clear(client, experiment_id, run.run_id)
        if logged is not None:
            return logged
        parent = self._log_entry(client, experiment_id, run, run.parent, {"mlflow.note.content": run.notes})
        self._log_traces(client, experiment_id, parent, run)
        for child in run.children:
            self._end(client, self._log_entry(client, experiment_id, run, child, {_PARENT_TAG: parent}), run)
        self._log_files(client, parent, run)
        self._end(client, parent, run)
        return parent

    def _experiment_id(self, client: MlflowClient, name: str) -> str:
        from mlflow.exceptions import MlflowException

        self._check()
        experiment: Experiment | None = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                self._check()
                return client.create_experiment(name, self._artifacts.as_uri() if self._artifacts else None)
            except MlflowException as failure:
                if failure.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                experiment = client.get_experiment_by_name(name)  # somebody else was quicker
                assert experiment is not None
        if experiment.lifecycle_stage != "active":
            raise TrackingFault(
                f"the experiment {name!r} was deleted in MLflow",
                f"restore it with `mlflow experiments restore -x {experiment.experiment_id}` or delete it for good",
            )
        return experiment.experiment_id

    def _find_or_clear(self, client: MlflowClient, experiment_id: str, run_id: str) -> str | None:
        """The parent of a complete earlier logging of the run; what an incomplete one left is deleted."""
        self._check()
        found = client.search_runs([experiment_id], f"tags.`{_RUN_TAG}` = '{run_id}'", max_results=1000)
        for run in found:
            if _PARENT_TAG not in run.data.tags and run.info.status == "FINISHED":
                return str(run.info.run_id)
        for run in found:
            self._check()
            client.delete_run(run.info.run_id)
        return None

    def _log_entry(
        self, client: MlflowClient, experiment_id: str, run: TrackedRun, entry: Entry, tags: dict[str, str]
    ) -> str:
        from mlflow.entities import Metric, Param

        started_ms, ended_ms = _milliseconds(run)
        self._check()
        created = client.create_run(experiment_id, started_ms, {_RUN_TAG: run.run_id, **tags}, entry.name)
        params = [Param(name, value) for name, value in entry.params.items()]
        metrics = [Metric(point.name, point.value, ended_ms, point.step) for point in entry.points]
        for first in range(0, max(len(metrics), 1), _METRICS_A_CALL):
            self._check()
            some = metrics[first : first + _METRICS_A_CALL]
            client.log_batch(created.info.run_id, some, params if first == 0 else [], synchronous=True)
        return str(created.info.run_id)

    def _log_traces(self, client: MlflowClient, experiment_id: str, parent: str, run: TrackedRun) -> None:
        """Traces need no clearing after a logging that was broken off: their ids are the same, so they are replaced."""
        if not run.traces:
            return
        from mlflow.tracing.client import TracingClient

        tracing, n_logged = TracingClient(self._uri), 0
        for first in range(0, len(run.traces), _TRACES_A_CALL):
            some = run.traces[first : first + _TRACES_A_CALL]
            self._check()
            try:
                tracing.log_spans(experiment_id, [span for trace in some for span in mlflow_spans(trace)])
            except NotImplementedError:  # the store keeps files, or its server is older than MLflow 3.4
                break
            self._check()
            client.link_traces_to_run([trace.mlflow_id for trace in some], parent)
            n_logged += len(some)
        self._check()
        client.set_tag(parent, _TRACES_TAG, f"{n_logged} of {len(run.traces) + run.n_traces_left_out}")

    def _log_files(self, client: MlflowClient, parent: str, run: TrackedRun) -> None:
        with tempfile.TemporaryDirectory(prefix="krins-") as folder:
            for name, text in run.texts.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            self._check()
            client.log_artifacts(parent, folder)
        for figure in run.figures:
            self._check()
            client.log_artifact(parent, str(figure), "figures")

    def _end(self, client: MlflowClient, mlflow_run_id: str, run: TrackedRun) -> None:
        self._check()
        client.set_terminated(mlflow_run_id, "FINISHED", _milliseconds(run)[1])


def _milliseconds(run: TrackedRun) -> tuple[int, int]:
    """Start and end since the epoch."""
    return int(run.started_at_seconds * 1000), int((run.started_at_seconds + run.elapsed_seconds) * 1000)
