"""`make serve`: the embedded default on this machine, from nothing to a URL, saying what it waits for.

    python -m serve [--config serve/config.yaml] [--address ADDRESS]

It finds the champion of the quickstart if the registry has none yet, starts a fake provider where the configuration
points at one, starts Ray without dashboard and proxies, and ends all of it on Ctrl-C or SIGTERM. Invariant: nothing but
what this command started is stopped by it. Left out: clusters of several machines (`serve deploy`, serve/deploy).
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import yaml

from krins.errors import KrinsError, UserError
from krins.runs.store import Store, default_home
from serve.settings import ServiceArgs

_ROOT = Path(__file__).parents[1]
_CONFIG = Path(__file__).with_name("config.yaml")
_QUICKSTART = "models:/quickstart@champion"
_FAKE_PORT = 8790
_KRINS_EVAL = str(Path(sys.executable).with_name("krins-eval"))


@click.command()
@click.option("--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=_CONFIG)
@click.option("--address", help="Of a Ray that runs already, to use instead of a new one.")
def main(config: Path, address: str | None) -> None:
    """Serve what CONFIG says on this machine until Ctrl-C."""
    logging.disable(logging.INFO)  # what Ray Serve tells is for those who run clusters
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # at Ray's 15 every other process of the machine goes first
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # every process of Ray would compile its modules anew
    try:
        args, ingress = read_config(config)
        with ExitStack() as running:
            _serve(args, address, ingress, running)
    except KrinsError as failure:
        click.echo(f"krins: {failure}", err=True)
        sys.exit(failure.exit_code)


def read_config(config: Path) -> tuple[ServiceArgs, dict[str, Any]]:
    """The arguments of the application in a configuration of Ray Serve, and what it says of Ray's own ingress.

    Raises:
        UserError: it is no YAML, or has no arguments, or others than there are.
    """
    try:
        content: Any = yaml.safe_load(config.read_text(encoding="utf-8"))
        args = ServiceArgs.model_validate(content["applications"][0]["args"])
    except (LookupError, TypeError) as failure:
        raise UserError(f"{config}: no applications[0].args", "see serve/config.yaml for an example") from failure
    except (ValueError, yaml.YAMLError) as failure:
        raise UserError(f"{config}: {failure}", "serve/settings.py explains the arguments") from failure
    return args, {key: content[key] for key in ("proxy_location", "http_options") if key in content}


def _serve(args: ServiceArgs, address: str | None, ingress: Mapping[str, Any], running: ExitStack) -> None:
    _end_on_signals()
    home = args.home or default_home()
    _ensure_champion(args, home)
    if any(urlsplit(model.base_url or "").port == _FAKE_PORT for model in args.models):
        running.enter_context(_fake_provider(_FAKE_PORT))
    running.enter_context(_ray(address))
    _end_on_signals()  # once more, for Ray has put its own handler of SIGTERM there
    with _step("starting replicas"):
        _deploy(args, ingress, running)
    own_port, ingress_port = args.port, ingress.get("http_options", {}).get("port", 8000)
    url = f"http://{args.host}:{own_port or ingress_port}"
    click.echo(f"\nserving {args.router} at {url}{f', models: {args.label}' if args.label else ''}")
    click.echo(
        f"  status page  {url}/\n  OpenAI       {url}/v1\n  Anthropic    {url}\n  API document {url}/openapi.json"
    )
    if not args.no_keys_on_loopback:
        click.echo("  API keys     python -m serve.security.keys add --help")
    try:
        threading.Event().wait()
    finally:
        click.echo("\nstopping: requests in flight are finished")


def _deploy(args: ServiceArgs, ingress: Mapping[str, Any], running: ExitStack) -> None:
    """
    Raises:
        UserError: the replicas did not start, in their own words.
    """
    from ray import serve

    from serve.app import build

    serve.start(logging_config={"log_level": "WARNING", "enable_access_log": False}, **ingress)
    running.callback(serve.delete, "krins")
    try:
        serve.run(build(args), name="krins", route_prefix="/", blocking=False)
    except RuntimeError as failure:
        deployment = serve.status().applications["krins"].deployments.get("Replica")
        told = deployment.message if deployment else ""
        own = re.findall(r"^(?:krins\.errors|serve\.web)\.\w+: (.+?)(?:\n\n|\Z)", told, re.MULTILINE | re.DOTALL)
        raise UserError(own[-1].strip() if own else f"{failure}\n{told}") from None


def _end_on_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Say what is waited for, and how long it took."""
    began = time.monotonic()
    click.echo(f"{what} ...", nl=False)
    try:
        yield
    except BaseException:
        click.echo(" failed")
        raise
    click.echo(f" {time.monotonic() - began:.0f} s")


def _ensure_champion(args: ServiceArgs, home: Path) -> None:
    """The quickstart's router is found by a search over its recorded answers, once."""
    if args.router != _QUICKSTART or (args.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")):
        return
    command = [_KRINS_EVAL, "tune", "evals/quickstart.yaml", "--register", "quickstart"]
    environ = {**os.environ, "KRINS_HOME": str(Store(home).home)}
    with _step("looking for the champion of evals/quickstart.yaml, and finding it the first time"):
        look = [sys.executable, "-c", f"import krins; krins.load_router({_QUICKSTART!r})"]
        if subprocess.run(look, env=environ, capture_output=True).returncode == 0:
            return
        done = subprocess.run(command, cwd=_ROOT, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise UserError(f"the search failed: {done.stderr.strip()[-800:]}", f"run it by hand: {' '.join(command)}")


@contextmanager
def _fake_provider(port: int) -> Iterator[None]:
    """
    Raises:
        UserError: it does not start, in its own words.
    """
    command = [_KRINS_EVAL, "fake-provider", "--port", str(port), "--tasks", "evals/tasks"]
    process = subprocess.Popen(
        command, cwd=_ROOT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        if not process.stdout.readline():  # it says its address once it listens
            raise UserError(f"the fake provider did not start: {process.stderr.read().strip()}")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    with _step("joining Ray" if address else "starting Ray (10 to 40 s)"):
        import ray

        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if address:
            ray.init(address=address, **quiet)
        else:
            ray.init(address="local", include_dashboard=False, object_store_memory=100 * 2**20, **quiet)
            _keep_token_private()
    try:
        yield
    finally:
        ray.shutdown()


def _keep_token_private() -> None:
    """Ray leaves the token that it made readable by everybody on the machine, who could then run anything as us."""
    token = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if token.is_file():
        token.chmod(0o600)


if __name__ == "__main__":
    main()
