"""A caller of Anthropic's Messages, such as a coding agent, a model behind Chat Completions.

Refused: top_k, documents, server tools, containers, MCP servers. Ignored, for an answer without it is right all the
same: marks for prompt caches (these providers cache by themselves), thinking, effort and what becomes of earlier
thoughts (hints to models that think: the answer then shows no thoughts), tiers and metadata. The results of a failed
tool begin with `error: `, for Chat Completions has no mark for them; images among results follow in a message of the
user's. Left out: streams (`messages_over_chat_stream`).
"""

from __future__ import annotations

from typing import Any

import orjson

from krins.errors import BrokenReply
from krins.models.spec import ModelSpec
from serve.gateway.messages_over_chat_stream import MessageEvents, message_head, stop_reason, usage_of
from serve.gateway.translation import AnswerStream, Fields, Untranslatable, limit_name, require_ending, tool_schema
from serve.gateway.wire import Json
from serve.gateway.wire_chat import chat_usage

_IGNORED = frozenset(
    {
        "metadata",
        "service_tier",
        "thinking",
        "context_management",
        "cache_control",
        "betas",
        "inference_geo",
        "speed",
    }
)
_IGNORED_IN_BLOCKS = frozenset({"cache_control", "citations"})
_IGNORED_IN_TOOLS = frozenset({"cache_control", "type", "eager_input_streaming", "defer_loading", "input_examples"})
_THOUGHTS = ("thinking", "redacted_thinking")


class MessagesOverChat:
    def __init__(self, spec: ModelSpec, now_seconds: float) -> None:
        self.ignored: set[str] = set()
        self._limit = limit_name(spec)

    def request(self, body: Json) -> Json:
        fields = Fields(body)
        sent: Json = {"messages": self._conversation(fields.take("system"), fields.take("messages"))}
        sent[self._limit] = fields.take("max_tokens")
        fields.copy_to(sent, ("temperature", "top_p"))
        stop = fields.take("stop_sequences")
        if stop:
            sent["stop"] = stop
        sent |= self._tools(fields) | self._answer_format(fields)
        fields.take("model"), fields.take("stream")
        fields.ignore(_IGNORED, self.ignored)
        fields.finish({"mcp_servers": ([],)})
        return sent

    def answer(self, answer: Json) -> Json:
        choice = answer["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        blocks: list[Json] = [{"type": "text", "text": said} for said in (text, refusal) if said]
        calls = message.get("tool_calls") or ()
        blocks += [_tool_use(call) for call in calls]
        reason = "content_filter" if refusal else require_ending(choice["finish_reason"])
        head = message_head(answer["id"], answer["model"]) | {"content": blocks}
        head["stop_reason"] = stop_reason(reason, bool(calls))
        return head | {"usage": usage_of(chat_usage(answer.get("usage")))}

    def stream(self) -> AnswerStream:
        return MessageEvents()

    def _conversation(self, system: Any, messages: list[Json]) -> list[Json]:
        text = "\n\n".join(self._text(block, "system") for block in _listed(system))
        sent: list[Json] = [{"role": "system", "content": text}] if text else []
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            if message["role"] == "assistant":
                sent.append(self._assistant(_listed(message["content"]), where))
            else:
                sent += self._user(_listed(message["content"]), where)
        return sent

    def _text(self, block: Json, where: str) -> str:
        if block.get("type") != "text":
            raise Untranslatable(f"{where}.type", f"{block.get('type')} is no block that this model's provider takes")
        self._note_ignored(block)
        return str(block["text"])

    def _note_ignored(self, block: Json) -> None:
        self.ignored |= {name for name in _IGNORED_IN_BLOCKS if block.get(name)}

    def _assistant(self, blocks: list[Json], where: str) -> Json:
        texts, calls = [], []
        for number, block in enumerate(blocks):
            if block.get("type") in _THOUGHTS:
                self.ignored.add("thinking")
            elif block.get("type") == "tool_use":
                self._note_ignored(block)
                arguments = orjson.dumps(block["input"]).decode()
                function = {"name": block["name"], "arguments": arguments}
                calls.append({"id": block["id"], "type": "function", "function": function})
            else:
                texts.append(self._text(block, f"{where}.content[{number}]"))
        message: Json = {"role": "assistant", "content": "".join(texts) if texts or not calls else None}
        return message | ({"tool_calls": calls} if calls else {})

    def _user(self, blocks: list[Json], where: str) -> list[Json]:
        """Results of tools first, each a message, as Chat Completions wants them right after the calls."""
        results: list[Json] = []
        parts: list[Json] = []
        for number, block in enumerate(blocks):
            at = f"{where}.content[{number}]"
            if block.get("type") == "tool_result":
                results.append(self._result(block, parts, at))
            else:
                parts.append(self._part(block, at))
        if not parts:
            return results
        is_text = len(parts) == 1 and parts[0]["type"] == "text"
        return [*results, {"role": "user", "content": parts[0]["text"] if is_text else parts}]

    def _result(self, block: Json, parts: list[Json], where: str) -> Json:
        """Images of the result go to `parts`."""
        self._note_ignored(block)
        texts = []
        for number, inner in enumerate(_listed(block.get("content"))):
            part = self._part(inner, f"{where}.content[{number}]")
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                parts.append(part)
        mark = "error: " if block.get("is_error") else ""
        return {"role": "tool", "tool_call_id": block["tool_use_id"], "content": mark + "\n".join(texts)}

    def _part(self, block: Json, where: str) -> Json:
        if block.get("type") != "image":
            return {"type": "text", "text": self._text(block, where)}
        self._note_ignored(block)
        source = block["source"]
        if source["type"] not in ("base64", "url"):
            raise Untranslatable(f"{where}.source.type", "this model's provider has no files of Anthropic's")
        is_url = source["type"] == "url"
        url = source["url"] if is_url else f"data:{source['media_type']};base64,{source['data']}"
        return {"type": "image_url", "image_url": {"url": url}}

    def _tools(self, fields: Fields) -> Json:
        tools = [self._tool(tool, f"tools[{number}]") for number, tool in enumerate(fields.take("tools", ()))]
        choice = fields.take("tool_choice")
        sent: Json = {"tools": tools} if tools else {}
        if choice is not None:
            sent["tool_choice"] = _tool_choice(choice)
            if choice.get("disable_parallel_tool_use"):
                sent["parallel_tool_calls"] = False
        return sent

    def _tool(self, tool: Json, where: str) -> Json:
        if tool.get("type") not in (None, "custom"):
            raise Untranslatable(f"{where}.type", f"{tool['type']} runs at Anthropic alone")
        function: Json = {"name": tool["name"], "parameters": tool_schema(tool.get("input_schema"))}
        fields = Fields(tool)
        fields.copy_to(function, ("description", "strict"))
        fields.take("name"), fields.take("input_schema"), fields.take("type")
        fields.ignore(_IGNORED_IN_TOOLS, self.ignored)
        fields.finish({}, f"{where}.")
        return {"type": "function", "function": function}

    def _answer_format(self, fields: Fields) -> Json:
        wanted = Fields(fields.take("output_config", {}))
        stated = wanted.take("format")
        wanted.ignore({"effort"}, self.ignored)
        wanted.finish({}, "output_config.")
        if stated is None:
            return {}
        if stated.get("type") != "json_schema":
            raise Untranslatable("output_config.format.type")
        schema = {"name": "answer", "schema": stated["schema"], "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _listed(content: Any) -> list[Json]:
    """Content that may be a string, as a list of blocks."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _tool_choice(choice: Json) -> Any:
    if choice["type"] == "tool":
        return {"type": "function", "function": {"name": choice["name"]}}
    kinds = {"auto": "auto", "any": "required", "none": "none"}
    if choice["type"] not in kinds:
        raise Untranslatable("tool_choice.type")
    return kinds[choice["type"]]


def _tool_use(call: Json) -> Json:
    function = call["function"]
    try:
        content = orjson.loads(function["arguments"] or "{}")
    except orjson.JSONDecodeError:
        raise BrokenReply(f"the arguments of the call of {function['name']} are no JSON") from None
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": content}
