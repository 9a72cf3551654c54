"""The gateway's routes: what clients of OpenAI's and Anthropic's APIs call.

`model` says who answers: `krins` leaves it to the router, `krins/ARM` asks that arm. As coding agents that speak
Anthropic's API send model names of their own, there any name that begins with `claude` is left to the router too.
Left out: everything but the table (`serve.gateway.gateway`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from serve.gateway.bodies import (
    ChatAnswer,
    ChatBody,
    ListedModel,
    MessagesAnswer,
    MessagesBody,
    ModelList,
    ResponsesAnswer,
    ResponsesBody,
)
from serve.gateway.gateway import ROUTED, Gateway
from serve.gateway.targets import CHAT, MESSAGES, RESPONSES
from serve.gateway.wire import Wire
from serve.web import Answer, Call, HeaderField, Route, Scope

_REFUSALS: Mapping[int, str] = {
    400: "The request is wrong, or asks for what no arm's provider has; as the provider says it.",
    404: "There is no such model.",
    413: "The provider says that the request is too large.",
    422: "The provider does not take the request as it is.",
    429: "The key's budget has no room, or every provider limits the rate; see Retry-After.",
    502: "No arm had an answer.",
    503: "No arm had an answer, for providers are overloaded.",
    504: "No arm had an answer in time.",
}
_HEADERS: Mapping[str, HeaderField] = {
    "x-krins-conversation": HeaderField(
        "Any name: turns of one conversation stay on one model unless another is cheaper even without its prompt cache."
        " By default the hash of the system prompt and the first user message."
    ),
    "x-krins-category": HeaderField("Of the task, such as backend; routers may look at it."),
    "x-krins-difficulty": HeaderField("Of the task, such as hard."),
    "x-krins-language": HeaderField("Of the task, such as python."),
    "x-krins-repository": HeaderField("Of the task, such as github.com/owner/name."),
}
_ANSWER_HEADERS: Mapping[str, HeaderField] = {
    "x-krins-decision-id": HeaderField("For /v1/feedback; none where the caller pinned a model."),
    "x-krins-model": HeaderField("Which arm answered."),
    "x-krins-reason": HeaderField(
        "Why that arm: `router`, `pinned`, `sticky: ...`, `fallback: ...`, each with its reason."
    ),
    "x-krins-cost-usd": HeaderField("What the answer cost, where that is known when it begins: not of streams."),
    "x-krins-label": HeaderField("What the service says of its models, such as `fake provider`."),
    "x-krins-ignored": HeaderField(
        "Fields of the request that the model's provider has nothing for, which were left out."
    ),
}
_QUESTION = "Name a prime number above ten."
_CHAT_EXAMPLE: Mapping[str, Any] = {"model": ROUTED, "messages": [{"role": "user", "content": _QUESTION}]}
_MESSAGES_EXAMPLE: Mapping[str, Any] = {**_CHAT_EXAMPLE, "max_tokens": 256}
_RESPONSES_EXAMPLE: Mapping[str, Any] = {"model": ROUTED, "input": _QUESTION}
_CHAT_ANSWER: Mapping[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "gpt-6-luna",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "11"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 14, "completion_tokens": 1, "total_tokens": 15},
}
_MESSAGES_ANSWER: Mapping[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-5-5",
    "content": [{"type": "text", "text": "11"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 14, "output_tokens": 1},
}
_RESPONSES_ANSWER: Mapping[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-6-luna",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "11", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 14, "output_tokens": 1, "total_tokens": 15},
}


def routes(gateway: Gateway) -> list[Route]:
    async def list_models(call: Call) -> Answer:
        return Answer.of(_listed(gateway.models))

    return [
        _asking(
            gateway, CHAT, "/v1/chat/completions", "Chat Completions",
            ChatBody, ChatAnswer, _CHAT_EXAMPLE, _CHAT_ANSWER,
        ),
        _asking(
            gateway, RESPONSES, "/v1/responses", "Responses",
            ResponsesBody, ResponsesAnswer, _RESPONSES_EXAMPLE, _RESPONSES_ANSWER,
        ),
        _asking(
            gateway, MESSAGES, "/v1/messages", "Messages",
            MessagesBody, MessagesAnswer, _MESSAGES_EXAMPLE, _MESSAGES_ANSWER,
        ),
        Route(
            "GET",
            "/v1/models",
            list_models,
            Scope.INFER,
            "What `model` may be.",
            "models",
            "openai",
            answer=ModelList,
            example_answer=_listed(gateway.models).model_dump(),
        ),
    ]  # fmt: skip


def _listed(names: Sequence[str]) -> ModelList:
    data = [ListedModel(id=name, display_name=name) for name in names]
    return ModelList(data=data, first_id=names[0], last_id=names[-1])


def _asking(
    gateway: Gateway,
    wire: Wire,
    path: str,
    api: str,
    body: type[BaseModel],
    answer: type[BaseModel],
    example: Mapping[str, Any],
    example_answer: Mapping[str, Any],
) -> Route:
    async def ask(call: Call) -> Answer:
        return await gateway.answer(wire, call)

    return Route(
        "POST",
        path,
        ask,
        Scope.INFER,
        f"{api}: the router chooses the model, or the caller does.",
        "models",
        wire.dialect,
        body=body,
        answer=answer,
        streams=True,
        refusals=_REFUSALS,
        headers=_HEADERS,
        answer_headers=_ANSWER_HEADERS,
        example=example,
        example_answer=example_answer,
    )
