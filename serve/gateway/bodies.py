"""What the gateway's routes accept and answer, for the door's check and the OpenAPI document.

Invariants: a field that is named here has its type, strictly; any other goes through, for providers add fields faster
than anybody writes them down. Left out: what a provider itself refuses.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
_Limit = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


Parts = str | list[dict[str, Any]]


class ChatMessage(_Open):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Parts | None = None


class StreamOptions(_Open):
    include_usage: bool | None = None


class ChatBody(_Open):
    """As OpenAI's Chat Completions."""

    model: str = Field(min_length=1, description="`krins` routes, `krins/ARM` asks that arm.")
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: _Limit | None = None
    max_completion_tokens: _Limit | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] | None = None
    top_p: _Fraction | None = None
    stop: str | list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None


class MessageParam(_Open):
    role: Literal["user", "assistant"]
    content: Parts


class MessagesBody(_Open):
    """As Anthropic's Messages."""

    model: str = Field(
        min_length=1,
        description="`krins`, or any name that begins with `claude`, routes; `krins/ARM` asks that arm.",
    )
    messages: list[MessageParam] = Field(min_length=1)
    max_tokens: _Limit
    system: Parts | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: _Fraction | None = None
    top_p: _Fraction | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None


class ResponsesBody(_Open):
    """As OpenAI's Responses."""

    model: str = Field(min_length=1, description="`krins` routes, `krins/ARM` asks that arm.")
    input: Parts = Field(min_length=1)
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: _Limit | None = None
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] | None = None
    top_p: _Fraction | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: dict[str, Any] | None = None
    previous_response_id: str | None = None


class ChatAnswer(_Open):
    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, Any] | None = None


class MessagesAnswer(_Open):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: str | None
    usage: dict[str, Any] | None = None


class ResponsesAnswer(_Open):
    id: str
    object: Literal["response"]
    status: str
    model: str
    output: list[dict[str, Any]]
    usage: dict[str, Any] | None = None


class ListedModel(BaseModel):
    """Enough for the SDKs of OpenAI and of Anthropic."""

    id: str
    object: Literal["model"] = "model"
    type: Literal["model"] = "model"
    owned_by: Literal["krins"] = "krins"
    created: int = 0
    created_at: str = "1970-01-01T00:00:00Z"
    display_name: str


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ListedModel]
    has_more: bool = False
    first_id: str
    last_id: str
