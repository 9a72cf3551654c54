"""A caller of Chat Completions, a model behind Anthropic's Messages.

What has no like there is refused: several choices, log-probabilities, penalties, audio, JSON mode without a schema.
Ignored, for an answer without it is right all the same: hints to caches, tiers and reasoning, seeds (best effort at
OpenAI too), and who the user is. System messages go to the front, where Anthropic wants them. Left out: streams
(`chat_over_messages_stream`).
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from krins.models.spec import ModelSpec
from serve.gateway.chat_over_messages_stream import ChatChunks, finish_reason, usage_of
from serve.gateway.translation import AnswerStream, Fields, Untranslatable, tool_schema
from serve.gateway.wire import Json, text_of
from serve.gateway.wire_messages import messages_usage

_IGNORED = frozenset(
    {
        "seed",
        "user",
        "metadata",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "prediction",
        "stream_options",
        "reasoning_effort",
    }
)
_NEUTRAL = {
    "n": (1,),
    "logprobs": (False,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "store": (False,),
    "verbosity": ("medium",),
    "response_format": ({"type": "text"},),
}
_MOST_TEMPERATURE = 1.0
"""Anthropic's; OpenAI's goes to 2."""
_DATA_URL = re.compile(r"data:(image/[\w.+-]+);base64,(.*)", re.DOTALL)


class ChatOverMessages:
    def __init__(self, spec: ModelSpec, now_seconds: float) -> None:
        self.ignored: set[str] = set()
        self._spec, self._now_seconds = spec, now_seconds

    def request(self, body: Json) -> Json:
        fields = Fields(body)
        system, messages = _conversation(fields.take("messages"))
        limits = fields.take("max_completion_tokens"), fields.take("max_tokens"), self._spec.max_output_tokens
        sent: Json = {"messages": messages, "max_tokens": next(limit for limit in limits if limit is not None)}
        if system:
            sent["system"] = system
        fields.copy_to(sent, ("temperature", "top_p"))
        if sent.get("temperature", 0) > _MOST_TEMPERATURE:
            raise Untranslatable("temperature", "this model's provider takes 0 to 1")
        stop = fields.take("stop")
        if stop is not None:
            sent["stop_sequences"] = [stop] if isinstance(stop, str) else stop
        sent |= _tools(fields) | _answer_format(fields)
        fields.take("model"), fields.take("stream")
        fields.ignore(_IGNORED, self.ignored)
        fields.finish(_NEUTRAL)
        return sent

    def answer(self, answer: Json) -> Json:
        blocks = answer["content"]
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        message: Json = {"role": "assistant", "content": text or None, "refusal": None}
        calls = [_tool_call(block) for block in blocks if block["type"] == "tool_use"]
        if calls:
            message["tool_calls"] = calls
        reason = finish_reason(answer["stop_reason"])
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        head = {"id": answer["id"], "object": "chat.completion", "created": int(self._now_seconds)}
        return head | {"model": answer["model"], "choices": [choice]} | usage_of(messages_usage(answer.get("usage")))

    def stream(self) -> AnswerStream:
        return ChatChunks(int(self._now_seconds))


def _tool_call(block: Json) -> Json:
    arguments = orjson.dumps(block["input"]).decode()
    return {"id": block["id"], "type": "function", "function": {"name": block["name"], "arguments": arguments}}


def _conversation(messages: list[Json]) -> tuple[str, list[Json]]:
    """The system prompt, and turns of user and assistant that alternate."""
    system: list[str] = []
    turns: list[Json] = []
    for index, message in enumerate(messages):
        role, where = message["role"], f"messages[{index}]"
        if role in ("system", "developer"):
            system.append(text_of(message.get("content")))
        elif role == "assistant":
            _add(turns, "assistant", _assistant_blocks(message, where))
        elif role == "tool":
            result = {"type": "tool_result", "tool_use_id": message["tool_call_id"]}
            _add(turns, "user", [result | {"content": text_of(message.get("content"))}])
        elif role == "user":
            _add(turns, "user", _blocks(message.get("content"), where))
        else:
            raise Untranslatable(f"{where}.role", f"{role} is an old form; use role tool")
    return "\n\n".join(filter(None, system)), turns


def _add(turns: list[Json], role: str, blocks: list[Json]) -> None:
    """A message that says nothing is left out, for Anthropic refuses it."""
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _assistant_blocks(message: Json, where: str) -> list[Json]:
    if message.get("function_call"):
        raise Untranslatable(f"{where}.function_call", "it is an old form; use tool_calls")
    if message.get("audio"):
        raise Untranslatable(f"{where}.audio")
    blocks = _blocks(message.get("content"), where) + _blocks(message.get("refusal"), where)
    for number, call in enumerate(message.get("tool_calls") or ()):
        at = f"{where}.tool_calls[{number}]"
        if call.get("type", "function") != "function":
            raise Untranslatable(f"{at}.type")
        function = call["function"]
        content = _arguments(function.get("arguments"), at)
        blocks.append({"type": "tool_use", "id": call["id"], "name": function["name"], "input": content})
    return blocks


def _arguments(text: str | None, where: str) -> Json:
    try:
        content = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise Untranslatable(f"{where}.function.arguments", "it is no JSON object")
    return content


def _blocks(content: Any, where: str) -> list[Json]:
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    blocks = [_block(part, f"{where}.content[{number}]") for number, part in enumerate(parts)]
    return [block for block in blocks if block.get("text") != ""]  # Anthropic refuses empty ones


def _block(part: Json, where: str) -> Json:
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part["text"]}
    if kind == "refusal":
        return {"type": "text", "text": part["refusal"]}
    if kind != "image_url":
        raise Untranslatable(f"{where}.type", f"{kind} is no part that this model's provider takes")
    url = part["image_url"]["url"]
    data = _DATA_URL.fullmatch(url)
    if data is not None:
        return {"type": "image", "source": {"type": "base64", "media_type": data[1], "data": data[2]}}
    if not url.startswith(("https://", "http://")):
        raise Untranslatable(f"{where}.image_url.url", "it is no http(s) URL, nor base64 data of an image")
    return {"type": "image", "source": {"type": "url", "url": url}}


def _tools(fields: Fields) -> Json:
    tools = [_tool(tool, f"tools[{number}]") for number, tool in enumerate(fields.take("tools", ()))]
    choice, is_parallel = fields.take("tool_choice"), fields.take("parallel_tool_calls", True)
    sent: Json = {"tools": tools} if tools else {}
    if choice is not None or (tools and not is_parallel):
        sent["tool_choice"] = _tool_choice(choice) | ({} if is_parallel else {"disable_parallel_tool_use": True})
    return sent


def _tool(tool: Json, where: str) -> Json:
    if tool.get("type") != "function":
        raise Untranslatable(f"{where}.type", "this model's provider takes functions only")
    function = tool["function"]
    sent: Json = {"name": function["name"], "input_schema": tool_schema(function.get("parameters"))}
    fields = Fields(function)
    fields.copy_to(sent, ("description", "strict"))
    fields.take("name"), fields.take("parameters")
    fields.finish({}, f"{where}.function.")
    return sent


def _tool_choice(choice: Any) -> Json:
    if isinstance(choice, dict) and choice.get("type") == "function":
        return {"type": "tool", "name": choice["function"]["name"]}
    kinds = {None: "auto", "auto": "auto", "none": "none", "required": "any"}
    if isinstance(choice, dict) or choice not in kinds:
        raise Untranslatable("tool_choice")
    return {"type": kinds[choice]}


def _answer_format(fields: Fields) -> Json:
    wanted = fields.take("response_format")
    if wanted is None or wanted.get("type") == "text":
        return {}
    if wanted.get("type") != "json_schema":
        raise Untranslatable("response_format", "this model's provider takes a JSON schema only")
    return {"output_config": {"format": {"type": "json_schema", "schema": wanted["json_schema"]["schema"]}}}
