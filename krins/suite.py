"""A suite: what to run, as frozen, typed data. `Suite.model_json_schema()` is the schema that editors complete from.

Invariants: unknown keys are refused; money is Decimal US dollars; a suite says nothing about workers, so the same suite
and seed give the same result however it is run. Left out: reading files (`krins.suite_file`), whether tables, tasks and
models exist (environments say so), and how a policy works (`krins.routing`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

SUITE_VERSION = 1

T = TypeVar("T")

Scalar = str | bool | int | float
Selection = dict[
    str, Annotated[list[Scalar], BeforeValidator(lambda value: value if isinstance(value, list) else [value])]
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


class Reward(_Frozen):
    """What a router maximises: quality * `quality` - cost in USD * `per_usd` - latency in seconds * `per_second`."""

    quality: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Worth of a task solved in full."""
    per_usd: float = Field(0.0, ge=0, allow_inf_nan=False)
    """What one US dollar takes off. 0.2 says that a solved task is worth 5 dollars."""
    per_second: float = Field(0.0, ge=0, allow_inf_nan=False)
    """What one second of latency takes off. Reproducible from recordings only."""

    floor: float | None = Field(None, allow_inf_nan=False)
    """No reward is taken below this, so that one runaway attempt cannot outweigh everything else."""

    @property
    def is_quality_alone(self) -> bool:
        return (self.quality, self.per_usd, self.per_second, self.floor) == (1.0, 0.0, 0.0, None)


class _Router(_Frozen):
    policy: str
    name: str | None = Field(None, min_length=1)
    """Label in tables; by default made from the policy and its parameters."""

    @property
    def label(self) -> str:
        return self.name or self._default_label()

    def _default_label(self) -> str:
        fields = type(self).model_fields
        changed = [key for key in fields if key not in {"policy", "name"} and getattr(self, key) != fields[key].default]
        values = ", ".join(f"{key}={getattr(self, key)}" for key in changed)
        return f"{self.policy}({values})" if values else self.policy


class EpsilonGreedyRouter(_Router):
    policy: Literal["epsilon-greedy"] = "epsilon-greedy"
    epsilon: float = Field(0.1, ge=0, le=1)
    """Share of decisions that go to an arm drawn uniformly."""


class DecayingEpsilonGreedyRouter(_Router):
    policy: Literal["epsilon-greedy-decaying"] = "epsilon-greedy-decaying"
    scale: float = Field(5.0, gt=0, allow_inf_nan=False)
    """epsilon = min(1, scale * arms / rewards learnt so far)."""


class Ucb1Router(_Router):
    policy: Literal["ucb1"] = "ucb1"
    reward_range: tuple[float, float] = (0.0, 1.0)
    """Least and greatest reward possible; the bound holds for rewards in this range."""


class ThompsonRouter(_Router):
    policy: Literal["thompson"] = "thompson"
    likelihood: Literal["auto", "bernoulli", "normal"] = "auto"
    """`bernoulli` (Beta posterior) for rewards 0 and 1, `normal` (Normal-inverse-gamma) for real ones; `auto` takes
    bernoulli where every recorded reward is 0 or 1, or the reward of a live suite is quality alone."""


class FixedRouter(_Router):
    policy: Literal["fixed"] = "fixed"
    model: str
    """The model that gets every task."""

    def _default_label(self) -> str:
        return f"fixed:{self.model}"


class RandomRouter(_Router):
    policy: Literal["random"] = "random"


RouterSpec = (
    EpsilonGreedyRouter | DecayingEpsilonGreedyRouter | Ucb1Router | ThompsonRouter | FixedRouter | RandomRouter
)


def _expand_router(value: Any) -> Any:
    """`thompson` stands for {policy: thompson}, `fixed:MODEL` for {policy: fixed, model: MODEL}."""
    if not isinstance(value, str):
        return value
    policy, _, model = value.partition(":")
    return {"policy": policy, "model": model} if model else {"policy": policy}


RouterEntry = Annotated[
    Annotated[RouterSpec, Field(discriminator="policy")],
    BeforeValidator(_expand_router, json_schema_input_type=str | RouterSpec),
]


class RecordedEnvironment(_Frozen):
    """Outcomes come from a table: one row is one model's answer to one task."""

    kind: Literal["recorded"]
    table: Path | None = None
    """Parquet or CSV file; `--table` on the command line takes precedence."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Where the table calls a column otherwise: our name to its name, for instance {quality: score}."""
    include: Selection = Field(default_factory=dict)
    """Rows to keep: a column of the table to the value or values allowed."""
    exclude: Selection = Field(default_factory=dict)
    """Rows to leave out: a column of the table to a value or values."""
    missing: Literal["refuse", "drop_task", "fail"] = "refuse"
    """A task that some model has no outcome for: refuse to run, drop the task, or count the missing outcome as a
    failure at the model's mean known cost. Under the last two a known outcome without a cost takes that mean too."""


class LiveModel(_Frozen):
    """A model behind any server that speaks OpenAI's chat completions."""

    name: str = Field(min_length=1)
    base_url: str
    """For instance http://127.0.0.1:8080/v1."""
    model: str | None = None
    """What the server calls it; `name` if left out."""
    api_key_env: str | None = None
    """Environment variable that holds the key; none is sent if left out."""
    usd_per_million_input_tokens: Decimal = Field(ge=0, allow_inf_nan=False)
    usd_per_million_output_tokens: Decimal = Field(ge=0, allow_inf_nan=False)
    temperature: float = Field(0.0, ge=0, le=2)
    max_output_tokens: int = Field(1024, ge=1)
    timeout_seconds: float = Field(600.0, gt=0, allow_inf_nan=False)


class SandboxLimits(_Frozen):
    """What a candidate solution may use while its hidden tests run."""

    wall_seconds: float = Field(10.0, gt=0, le=3600)
    memory_mib: int = Field(512, ge=64)
    processes: int = Field(16, ge=4)


class LiveEnvironment(_Frozen):
    """Outcomes are made now: models answer tasks, hidden tests judge the code."""

    kind: Literal["live"]
    tasks: Path
    """Folder with one folder a task."""
    models: list[LiveModel] = Field(min_length=1)
    include: Selection = Field(default_factory=dict)
    """Tasks to keep: task_id, category, difficulty or language to the value or values allowed."""
    exclude: Selection = Field(default_factory=dict)
    samples: int = Field(1, ge=1)
    """Answers that `krins-eval record` asks of each model for each task."""
    max_concurrency: int = Field(8, ge=1)
    """Attempts in flight at once, over all models."""
    limits: SandboxLimits = SandboxLimits()

    @field_validator("models")
    @classmethod
    def _names_differ(cls, models: list[LiveModel]) -> list[LiveModel]:
        return _require_distinct(models, "models", [model.name for model in models])


class Suite(_Frozen):
    """What to run: an environment, what counts as reward, and the routers to compare."""

    version: Literal[1] = 1
    name: str = Field(min_length=1, max_length=100, pattern=r"^[\w.\- ]+$")
    description: str = ""
    seed: int = Field(0, ge=0, lt=2**64)
    replications: int | None = Field(None, ge=1, le=1_000_000)
    """Independent repetitions, each with its own order of tasks; 100 for recorded suites and 1 for live ones."""
    passes: int = Field(1, ge=1)
    """How many times each task comes up in a replication; answers are drawn again from the recorded samples."""
    round_size: int | None = Field(None, ge=1)
    """Tasks decided before their rewards are learnt; 1 for recorded suites and 4 for live ones."""
    environment: RecordedEnvironment | LiveEnvironment = Field(discriminator="kind")
    reward: Reward = Reward()
    non_inferiority_margin: float = Field(0.02, ge=0, le=1)
    """A lower cost is called a saving only where quality is at most this much below the best single model's."""
    routers: list[RouterEntry] = Field(min_length=1)

    @field_validator("routers")
    @classmethod
    def _labels_differ(cls, routers: list[RouterSpec]) -> list[RouterSpec]:
        return _require_distinct(routers, "routers", [router.label for router in routers])

    @model_validator(mode="after")
    def _latency_is_recorded(self) -> Suite:
        if isinstance(self.environment, LiveEnvironment) and self.reward.per_second:
            raise ValueError("latency in the reward is reproducible from recordings only: record first, then run that")
        return self

    @property
    def n_replications(self) -> int:
        return self.replications or (100 if isinstance(self.environment, RecordedEnvironment) else 1)

    @property
    def n_decisions_a_round(self) -> int:
        return self.round_size or (1 if isinstance(self.environment, RecordedEnvironment) else 4)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all but the description and the places of table and tasks, which have hashes of their own."""
        content = self.model_dump(mode="json", exclude={"description": True, "environment": {"table", "tasks"}})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _require_distinct(items: list[T], what: str, names: Sequence[str]) -> list[T]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"two {what} have the name {', '.join(repeated)}: give each a `name` of its own")
    return items
