"""A caller of OpenAI's Responses, a model behind Chat Completions.

Refused: what lives at OpenAI (earlier responses, conversations, stored prompts, background work, its own tools, files)
and what Chat Completions cannot say. Ignored, for an answer without it is right all the same: reasoning and its items,
hints to caches and tiers, who the user is. An answer is never stored, and says so. Left out: streams
(`responses_over_chat_stream`).
"""

from __future__ import annotations

from typing import Any

from krins.models.spec import ModelSpec
from serve.gateway.responses_over_chat_stream import Draft, ResponseEvents
from serve.gateway.translation import AnswerStream, Fields, Untranslatable, limit_name, require_ending, tool_schema
from serve.gateway.wire import Json
from serve.gateway.wire_chat import chat_usage

_IGNORED = frozenset(
    {
        "reasoning",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "service_tier",
        "stream_options",
        "client_metadata",
    }
)
_NEUTRAL = {
    "store": (False,),
    "background": (False,),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
    "include": ([], ["reasoning.encrypted_content"]),
}
_ECHOED = ("instructions", "max_output_tokens", "metadata", "temperature", "top_p")
_DEFAULTS: Json = {
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "text": {"format": {"type": "text"}},
}
_TEXTS = {"input_text", "output_text", "text"}


class ResponsesOverChat:
    def __init__(self, spec: ModelSpec, now_seconds: float) -> None:
        self.ignored: set[str] = set()
        self._spec, self._now_seconds = spec, now_seconds
        self._echo: Json = {}

    def request(self, body: Json) -> Json:
        self._echo = {name: body.get(name) for name in _ECHOED}
        self._echo |= {name: body.get(name) or default for name, default in _DEFAULTS.items()}
        self._echo["parallel_tool_calls"] = body.get("parallel_tool_calls") is not False
        fields = Fields(body)
        sent: Json = {"messages": self._conversation(fields.take("instructions"), fields.take("input"))}
        limit = fields.take("max_output_tokens")
        if limit is not None:
            sent[limit_name(self._spec)] = limit
        fields.copy_to(sent, ("temperature", "top_p"))
        sent |= _tools(fields) | _answer_format(fields)
        fields.take("model"), fields.take("stream"), fields.take("metadata")
        fields.ignore(_IGNORED, self.ignored)
        fields.finish(_NEUTRAL)
        return sent

    def answer(self, answer: Json) -> Json:
        choice = answer["choices"][0]
        message = choice["message"]
        draft = Draft(answer["id"], answer["model"], self._echo, int(self._now_seconds))
        if message.get("refusal"):
            draft.open_message("refusal")["refusal"] += message["refusal"]
        if message.get("content"):
            draft.open_message("output_text")["text"] += message["content"]
        for call in message.get("tool_calls") or ():
            function = call["function"]
            draft.open_call(call["id"], function["name"])["arguments"] += function["arguments"]
        return draft.finished(require_ending(choice["finish_reason"]), chat_usage(answer.get("usage")))

    def stream(self) -> AnswerStream:
        return ResponseEvents(self._echo, int(self._now_seconds))

    def _conversation(self, instructions: str | None, asked: str | list[Json]) -> list[Json]:
        messages: list[Json] = [{"role": "system", "content": instructions}] if instructions else []
        items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        for index, item in enumerate(items):
            where = f"input[{index}]"
            kind = item.get("type", "message")
            if kind == "message":
                messages.append(_message(item, where))
            elif kind == "function_call":
                _add_call(messages, item)
            elif kind == "function_call_output":
                content = _content(item["output"], f"{where}.output", "tool")
                messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
            elif kind == "reasoning":
                self.ignored.add("reasoning")
            else:
                raise Untranslatable(f"{where}.type", f"{kind} is no item that this model's provider takes")
        return messages


def _message(item: Json, where: str) -> Json:
    role = "system" if item["role"] == "developer" else item["role"]
    return {"role": role, "content": _content(item["content"], f"{where}.content", role)}


def _content(content: Any, where: str, role: str) -> Any:
    if isinstance(content, str):
        return content
    parts = [_part(part, f"{where}[{number}]") for number, part in enumerate(content)]
    images = [number for number, part in enumerate(parts) if part["type"] != "text"]
    if images and role != "user":
        raise Untranslatable(f"{where}[{images[0]}].type", f"a message of {role} holds text only at this provider")
    # What servers of all kinds take: a string where there are only texts.
    return parts if images else "\n".join(part["text"] for part in parts)


def _part(part: Json, where: str) -> Json:
    kind = part.get("type")
    if kind in _TEXTS:
        return {"type": "text", "text": part["text"]}
    if kind == "refusal":
        return {"type": "text", "text": part["refusal"]}
    if kind != "input_image" or not part.get("image_url"):
        raise Untranslatable(f"{where}.type", f"{kind} without a URL is no part that this model's provider takes")
    detail = {"detail": part["detail"]} if part.get("detail") else {}
    return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}


def _add_call(messages: list[Json], item: Json) -> None:
    """To the assistant's message before it, where there is one."""
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    function = {"name": item["name"], "arguments": item["arguments"]}
    call = {"id": item["call_id"], "type": "function", "function": function}
    messages[-1].setdefault("tool_calls", []).append(call)


def _tools(fields: Fields) -> Json:
    tools = [_tool(tool, f"tools[{number}]") for number, tool in enumerate(fields.take("tools", ()))]
    choice = fields.take("tool_choice")
    sent: Json = {"tools": tools} if tools else {}
    if isinstance(choice, dict):
        if choice.get("type") != "function":
            raise Untranslatable("tool_choice.type")
        sent["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    elif choice is not None and tools:
        sent["tool_choice"] = choice
    if fields.take("parallel_tool_calls") is False and tools:
        sent["parallel_tool_calls"] = False
    return sent


def _tool(tool: Json, where: str) -> Json:
    if tool.get("type") != "function":
        raise Untranslatable(f"{where}.type", f"{tool.get('type')} runs at OpenAI alone")
    function: Json = {"name": tool["name"], "parameters": tool_schema(tool.get("parameters"))}
    fields = Fields(tool)
    fields.copy_to(function, ("description", "strict"))
    fields.take("name"), fields.take("parameters"), fields.take("type")
    fields.finish({}, f"{where}.")
    return {"type": "function", "function": function}


def _answer_format(fields: Fields) -> Json:
    text = Fields(fields.take("text", {}))
    wanted = text.take("format", {"type": "text"})
    text.finish({"verbosity": ("medium",)}, "text.")
    if wanted["type"] == "text":
        return {}
    if wanted["type"] != "json_schema":
        return {"response_format": wanted}
    schema = {name: value for name, value in wanted.items() if name != "type"}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}
