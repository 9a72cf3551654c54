"""What the service is told when it starts: the arguments of `serve.app:build`.

Invariant: no secret stands in here; keys of providers come from the environment, keys of clients from the key file.
Left out: reading files (`serve run serve/config.yaml` does).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from krins.suite import LiveModelEntry


class ServiceArgs(BaseModel):
    """Arguments of the service; every one has a default that works on one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    router: str = "models:/quickstart@champion"
    """A registered router, `models:/NAME@ALIAS` or `models:/NAME/VERSION`; or `suite:PATH#LABEL`: the router of that
    label as `krins-eval run PATH` begins with it, seed and all."""
    tracking_uri: str | None = None
    """By default MLFLOW_TRACKING_URI, else the database under `home`."""
    home: Path | None = None
    """Where state lives, by default KRINS_HOME or .krins in the current folder."""
    models: list[LiveModelEntry] = Field(default_factory=list)
    """Where each arm is asked, as in a live suite; an arm that is not named is looked up in the catalogue."""
    label: str = ""
    """What the page, /health and `x-krins-label` say of the models, such as `fake provider`."""
    host: str = "127.0.0.1"
    port: int | None = Field(8000, ge=1, le=65535)
    """Where each replica listens by itself, sharing the port with the others; None: only through Ray's own ingress."""
    replicas: int = Field(2, ge=1)
    no_keys_on_loopback: bool = False
    """Ask for no API keys. Refused unless `host` is loopback."""
    exploration_floor: float = Field(0.05, ge=0.0, le=1.0)
    """Share of decisions that go to an arm drawn uniformly, so that the log can answer what-if questions; a floor that
    the router itself states holds instead."""
    max_in_flight: int = Field(256, ge=1)
    """Requests in work in one replica; beyond them 429."""
    max_body_bytes: int = Field(8 * 2**20, ge=1024)
    feedback_patience_seconds: float = Field(600.0, gt=0.0)
    """After which a decision without feedback is not waited for any more."""
    takeover_seconds: float = Field(10.0, gt=0.0)
    """How often the registry is asked for a new champion."""
    job_workers: int = Field(1, ge=0)
    """Processes that work on tasks; 0: tasks are only queued."""
    fallback: list[str] = Field(default_factory=list)
    """Arms to ask when the chosen one fails, in this order; by default the others, cheapest first."""
