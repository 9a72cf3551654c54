"""A suite: what to run, as frozen, typed data. `Suite.model_json_schema()` is the schema that editors complete from.

Invariants: unknown keys are refused; money is Decimal US dollars; a suite says nothing about workers, so the same suite
and seed give the same result however it is run. Left out: the routers
(`krins.router_specs`), reading files (`krins.suite_file`), whether tables, tasks and models exist (environments say
so), and how a policy works (`krins.routing`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field, field_validator, model_validator

from krins.router_specs import CascadeRouter, Frozen, Router, RouterEntry

SUITE_VERSION = 1

T = TypeVar("T")

Scalar = str | bool | int | float
Selection = dict[
    str, Annotated[list[Scalar], BeforeValidator(lambda value: value if isinstance(value, list) else [value])]
]


class Reward(Frozen):
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


class Features(Frozen):
    """What contextual routers may look at of a task: what is known before anybody has answered it."""

    fields: list[str] = Field(default_factory=lambda: ["category"])
    """Of category, language, repository and, if it is known when a task comes in, difficulty."""
    difficulty_known_at_routing: bool = False
    """States that difficulties were judged without the solution and before any answer; otherwise they are refused."""
    length: bool = False
    """Of the prompt."""
    words: int = Field(0, ge=0, le=4096)
    """Columns that single words and pairs of them are hashed into."""
    characters: int = Field(0, ge=0, le=4096)
    """Columns that sequences of three to five characters are hashed into."""
    embedding: int = Field(0, ge=0, le=256)
    """Columns of a sentence embedding (up to 256); needs the extra `krins[embedding]`."""


class RecordedEnvironment(Frozen):
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


class LiveModel(Frozen):
    """A model to ask, by the name that the catalogue knows it by, or by provider and address."""

    name: str = Field(min_length=1)
    provider: Literal["anthropic", "openai", "openai-chat", "google"] | None = None
    """Whose API it speaks: Anthropic's Messages, OpenAI's Responses (`openai`) or Chat Completions (`openai-chat`,
    which llama.cpp, vLLM and Ollama speak too), Google's Gemini. By default the catalogue's; `openai-chat` where a
    base_url is given for a name that the catalogue does not know."""
    base_url: str | None = None
    """For instance http://127.0.0.1:8080/v1; by default the provider's own."""
    model: str | None = None
    """What the provider calls it; `name` if left out."""
    api_key_env: str | None = None
    """Environment variable that holds the key; by default the provider's usual one, and none for a base_url."""
    usd_per_million_input_tokens: Decimal | None = Field(None, ge=0, allow_inf_nan=False)
    """Instead of the catalogue's price; goes with the price of output tokens, and then cached input has no discount."""
    usd_per_million_output_tokens: Decimal | None = Field(None, ge=0, allow_inf_nan=False)
    context_window: int | None = Field(None, ge=1)
    """Tokens; by default the catalogue's."""
    temperature: float | None = Field(None, ge=0, le=2)
    """By default 0 for `openai-chat` with a base_url, and otherwise the provider's own default: many models refuse the
    setting."""
    max_output_tokens: int | None = Field(None, ge=1)
    """Reasoning included; by default the catalogue's, and 1,024 for a model that it does not know."""
    timeout_seconds: float = Field(600.0, gt=0, allow_inf_nan=False)
    """For one answer, retries and fallbacks included."""
    connect_timeout_seconds: float = Field(10.0, gt=0, allow_inf_nan=False)
    first_token_timeout_seconds: float | None = Field(None, gt=0, allow_inf_nan=False)
    """For a streamed answer to begin, and between any two pieces of it; makes answers stream."""
    max_tries: int = Field(3, ge=1, le=20)
    """Calls of this model for one answer, the first one included."""
    hedge_after_seconds: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Ask a second time when there is no answer by then, and take whichever comes first; both are paid for."""
    prompt_caching: bool = False
    """Let Anthropic cache the prompt (others do so by themselves): writing costs more than plain input, reading
    less."""
    fallback: Literal["default"] | list[str] = Field(default_factory=list)
    """Models of the suite or the catalogue to ask instead, in this order, when no answer of this one can be had;
    `default`: the catalogue's models of the same tier, Anthropic's, then OpenAI's, then Google's. Their answers count
    as this arm's, at their own price."""

    @model_validator(mode="after")
    def _prices_come_together(self) -> LiveModel:
        if (self.usd_per_million_input_tokens is None) != (self.usd_per_million_output_tokens is None):
            raise ValueError("give both usd_per_million_input_tokens and usd_per_million_output_tokens, or neither")
        return self


LiveModelEntry = Annotated[
    LiveModel,
    BeforeValidator(
        lambda value: {"name": value} if isinstance(value, str) else value, json_schema_input_type=str | LiveModel
    ),
]


class Limit(Frozen):
    """Most that may be spent; a key that is left out does not limit."""

    usd: Decimal | None = Field(None, ge=0, allow_inf_nan=False)
    tokens: int | None = Field(None, ge=0)
    """Input and output together."""
    calls: int | None = Field(None, ge=0)

    @property
    def is_set(self) -> bool:
        return (self.usd, self.tokens, self.calls) != (None, None, None)


class Budget(Frozen):
    """Hard limits: the worst case of a call is reserved before it is sent, so that none is ever overdrawn."""

    run: Limit = Limit()
    suite: Limit = Limit()
    """All runs and recordings of suites of this name under the same home together."""
    router: Limit = Limit()
    """What the decisions of one router cost in one replication, shared answers at their full price."""
    task: Limit = Limit()
    """All calls of one decision."""
    confirm_above_usd: Decimal | None = Field(Decimal(10), ge=0, allow_inf_nan=False)
    """A run whose forecast can cost more than this begins only with `--yes`."""


class AnswerCache(Frozen):
    """Answers kept on disk, shared by all runs under the same home."""

    max_mib: int = Field(1024, ge=1)
    """Beyond this the least recently used answers go."""
    ttl_days: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Answers older than this are asked for again."""
    semantic_similarity: float | None = Field(None, gt=0, le=1)
    """Also take the answer to a prompt that says the same in the same content words, at least this similar; off by
    default, for it can only save calls by trusting that."""


class SandboxLimits(Frozen):
    """What a candidate solution may use while its hidden tests run."""

    wall_seconds: float = Field(10.0, gt=0, le=3600)
    memory_mib: int = Field(512, ge=64)
    processes: int = Field(16, ge=4)


class ContextBudget(Frozen):
    """How much a selection may take."""

    budget_tokens: int = Field(ge=1)
    """Of each task's context, by o200k."""


class SelectedContext(Frozen):
    """What fits into a budget of tokens, most relevant to the prompt first (`krins.context.selection`)."""

    select: ContextBudget


Fraction = Annotated[float, Field(ge=0, le=1)]

ContextOption = Literal["none", "whole"] | SelectedContext


class Pipeline(Frozen):
    """What happens to an answer before the hidden tests judge it."""

    mode: Literal["direct", "judge", "spec"] = "direct"
    """`direct`: nothing. `judge`: quality gates look at the change, and where none is red a judge does; what they find
    goes back to the model. `spec`: the same, after a model wrote tests from the request that fail on the unchanged
    tree."""
    judge: str | None = None
    """One of the suite's models; by default the last that is another than the model that answered."""
    rounds: int = Field(2, ge=0, le=10)
    """Answers more that findings may lead to."""
    accept_score: Fraction | dict[str, Fraction] = 0.5
    """Of the judge: below it, a change is sent back. By judge where they differ, as they do in how readily they say
    yes; 0.5 for those that are not named."""


class LiveEnvironment(Frozen):
    """Outcomes are made now: models answer tasks, hidden tests judge the code."""

    kind: Literal["live"]
    tasks: Path
    """Folder with one folder a task."""
    models: list[LiveModelEntry] = Field(min_length=1)
    budget: Budget = Budget()
    cache: AnswerCache | Literal[False] = AnswerCache()
    """Answers that were had before are taken from disk, at no cost now; `false`: ask anew."""
    include: Selection = Field(default_factory=dict)
    """Tasks to keep: task_id, category, difficulty or language to the value or values allowed."""
    exclude: Selection = Field(default_factory=dict)
    samples: int = Field(1, ge=1)
    """Answers that `krins-eval record` asks of each model for each task."""
    max_concurrency: int = Field(8, ge=1)
    """Attempts in flight at once, over all models."""
    limits: SandboxLimits = SandboxLimits()
    context: ContextOption = "none"
    """What a prompt shows of its task's source tree: nothing, every file in full, or a selection under a budget. A task
    without a tree is asked the same whatever stands here."""

    pipeline: Pipeline = Pipeline()

    @property
    def context_label(self) -> str:
        option = self.context
        return option if isinstance(option, str) else f"select(budget_tokens={option.select.budget_tokens})"

    @field_validator("models")
    @classmethod
    def _names_differ(cls, models: list[LiveModel]) -> list[LiveModel]:
        return _require_distinct(models, "models", [model.name for model in models])

    @model_validator(mode="after")
    def _judge_is_a_model(self) -> LiveEnvironment:
        names = [model.name for model in self.models]
        if self.pipeline.judge is not None and self.pipeline.judge not in names:
            raise ValueError(f"pipeline.judge: {self.pipeline.judge!r} is none of the models {', '.join(names)}")
        scores = self.pipeline.accept_score
        for judge in scores if isinstance(scores, dict) else ():
            if judge not in names:
                raise ValueError(f"pipeline.accept_score: {judge!r} is none of the models {', '.join(names)}")
        return self

    def judge_of(self, arm: str) -> str:
        """Which model judges what `arm` proposes: another one, where there is another one."""
        others = [model.name for model in self.models if model.name != arm]
        return self.pipeline.judge or (others[-1] if others else arm)

    def accept_score_of(self, judge: str) -> float:
        scores = self.pipeline.accept_score
        return scores.get(judge, 0.5) if isinstance(scores, dict) else scores


class Suite(Frozen):
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
    feedback_delay: int = Field(0, ge=0)
    """Rounds for which rewards stay out before they are learnt."""
    exploration_floor: float = Field(0.0, ge=0, le=1)
    """Share of decisions of learning routers that go to a model drawn uniformly: keeps logs usable for `what-if`."""
    environment: RecordedEnvironment | LiveEnvironment = Field(discriminator="kind")
    reward: Reward = Reward()
    features: Features | None = None
    """For contextual routers (linucb, lints)."""
    non_inferiority_margin: float = Field(0.02, ge=0, le=1)
    """A lower cost is called a saving only where quality is at most this much below the best single model's."""
    routers: list[RouterEntry] = Field(min_length=1)

    @field_validator("routers")
    @classmethod
    def _labels_differ(cls, routers: list[Router]) -> list[Router]:
        return _require_distinct(routers, "routers", [router.label for router in routers])

    @model_validator(mode="after")
    def _recordings_only(self) -> Suite:
        if not isinstance(self.environment, LiveEnvironment):
            return self
        if self.reward.per_second:
            raise ValueError("latency in the reward is reproducible from recordings only: record first, then run that")
        if any(isinstance(router, CascadeRouter) for router in self.routers):
            raise ValueError("the verifier of a cascade is simulated on recordings only: record first, then run that")
        return self

    @property
    def n_replications(self) -> int:
        return self.replications or (100 if isinstance(self.environment, RecordedEnvironment) else 1)

    @property
    def n_decisions_a_round(self) -> int:
        return self.round_size or (1 if isinstance(self.environment, RecordedEnvironment) else 4)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all but the description and the places of table and tasks, which have hashes of their own.

        A key that older suites did not have is left out at its default, so that theirs stay what they were.
        """
        left_out = {"table", "tasks"}
        if isinstance(self.environment, LiveEnvironment):
            newer = {"context": "none", "pipeline": Pipeline()}
            left_out |= {key for key, default in newer.items() if getattr(self.environment, key) == default}
        content = self.model_dump(mode="json", exclude={"description": True, "environment": left_out})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _require_distinct(items: list[T], what: str, names: Sequence[str]) -> list[T]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"two {what} have the name {', '.join(repeated)}: give each a `name` of its own")
    return items
