"""Translations between wire formats: by hand, and there and back with Hypothesis."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from krins.errors import BrokenReply
from krins.models.spec import ModelSpec
from serve.gateway.chat_over_messages import ChatOverMessages
from serve.gateway.messages_over_chat import MessagesOverChat
from serve.gateway.responses_over_chat import ResponsesOverChat
from serve.gateway.translation import Untranslatable
from tests.serve.gateway_shell import spec

SDK_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
ARM: ModelSpec = spec("arm", "openai-chat", "http://127.0.0.1:9/v1")
NOW = 1_800_000_000.0
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
PNG = "iVBORw0KGgo="

CHAT_REQUEST: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        ]},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path":"a"}'}},
            {"id": "c2", "type": "function", "function": {"name": "read", "arguments": '{"path":"b"}'}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "A"},
        {"role": "tool", "tool_call_id": "c2", "content": "B"},
        {"role": "user", "content": "Well?"},
    ],
    "max_tokens": 99,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": ["END"],
    "tools": [{"type": "function", "function": {
        "name": "read", "description": "Reads.", "parameters": SCHEMA, "strict": True,
    }}],
    "tool_choice": {"type": "function", "function": {"name": "read"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}},
}  # fmt: skip
MESSAGES_REQUEST: dict[str, Any] = {
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        ]},
        {"role": "assistant", "content": [
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "c1", "name": "read", "input": {"path": "a"}},
            {"type": "tool_use", "id": "c2", "name": "read", "input": {"path": "b"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "A"},
            {"type": "tool_result", "tool_use_id": "c2", "content": "B"},
            {"type": "text", "text": "Well?"},
        ]},
    ],
    "max_tokens": 99,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop_sequences": ["END"],
    "tools": [{"name": "read", "description": "Reads.", "input_schema": SCHEMA, "strict": True}],
    "tool_choice": {"type": "tool", "name": "read", "disable_parallel_tool_use": True},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
}  # fmt: skip
RESPONSES_REQUEST: dict[str, Any] = {
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
            {"type": "input_image", "image_url": "https://example.org/a.png"},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "call_id": "c1", "name": "read", "arguments": '{"path":"a"}'},
        {"type": "function_call", "call_id": "c2", "name": "read", "arguments": '{"path":"b"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "A"},
        {"type": "function_call_output", "call_id": "c2", "output": "B"},
        {"role": "user", "content": "Well?"},
    ],
    "max_output_tokens": 99,
    "temperature": 0.5,
    "top_p": 0.9,
    "tools": [{"type": "function", "name": "read", "description": "Reads.", "parameters": SCHEMA, "strict": True}],
    "tool_choice": {"type": "function", "name": "read"},
    "parallel_tool_calls": False,
    "text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}},
}  # fmt: skip


def test_requests_by_hand() -> None:
    assert ChatOverMessages(ARM, NOW).request(CHAT_REQUEST) == MESSAGES_REQUEST
    assert MessagesOverChat(ARM, NOW).request(MESSAGES_REQUEST) == CHAT_REQUEST
    without_stop = {name: value for name, value in CHAT_REQUEST.items() if name != "stop"}
    translation = ResponsesOverChat(ARM, NOW)
    assert translation.request(RESPONSES_REQUEST) == without_stop
    assert translation.ignored == {"reasoning"}


def test_the_most_output_is_the_models_where_the_caller_names_none() -> None:
    sent = ChatOverMessages(ARM, NOW).request({"messages": [{"role": "user", "content": "x"}]})
    assert sent == {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}], "max_tokens": 1000}


def test_messages_that_say_nothing_are_left_out_for_anthropic_refuses_them() -> None:
    messages = [USER, {"role": "assistant", "content": ""}, {"role": "user", "content": "y"}]
    sent = ChatOverMessages(ARM, NOW).request({"messages": messages})["messages"]
    assert sent == [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}]


def test_what_a_coding_agent_sends_reaches_chat_completions_and_it_is_told_what_was_ignored() -> None:
    asked = {
        "model": "claude-sonnet", "max_tokens": 9, "stream": True, "metadata": {"user_id": "u"},
        "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"},
        "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "bash", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "t", "name": "bash", "input": {}},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": [
                {"type": "text", "text": "no"},
                {"type": "text", "text": "line 2"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            ]}]},
        ],
    }  # fmt: skip
    translation = MessagesOverChat(ARM, NOW)
    assert translation.request(asked)["messages"] == [
        {"role": "system", "content": "S"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "t", "type": "function", "function": {"name": "bash", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "t", "content": "error: no\nline 2"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]},
    ]  # fmt: skip
    assert translation.ignored == {"metadata", "thinking", "effort", "cache_control"}


USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("make", "extra", "field"),
    [
        (ChatOverMessages, {"n": 2}, "n"),
        (ChatOverMessages, {"logprobs": True}, "logprobs"),
        (ChatOverMessages, {"temperature": 1.5}, "temperature"),
        (ChatOverMessages, {"response_format": {"type": "json_object"}}, "response_format"),
        (ChatOverMessages, {"unheard_of": 1}, "unheard_of"),
        (ChatOverMessages, {"tools": [{"type": "custom"}]}, "tools[0].type"),
        (ChatOverMessages, {"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        (ChatOverMessages, {"messages": [{"role": "function"}]}, "messages[0].role"),
        (
            ChatOverMessages,
            {"messages": [USER, {"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages[1].content[0].type",
        ),
        (MessagesOverChat, {"top_k": 5}, "top_k"),
        (MessagesOverChat, {"container": "c"}, "container"),
        (MessagesOverChat, {"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools[0].type"),
        (
            MessagesOverChat,
            {"messages": [{"role": "user", "content": [{"type": "document"}]}]},
            "messages[0].content[0].type",
        ),
        (ResponsesOverChat, {"previous_response_id": "r"}, "previous_response_id"),
        (ResponsesOverChat, {"store": True}, "store"),
        (ResponsesOverChat, {"background": True}, "background"),
        (ResponsesOverChat, {"tools": [{"type": "web_search"}]}, "tools[0].type"),
        (ResponsesOverChat, {"input": [{"type": "item_reference", "id": "i"}]}, "input[0].type"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(make: Any, extra: dict[str, Any], field: str) -> None:
    body = {"model": "krins", "max_tokens": 9, "messages": [USER]}
    if make is ResponsesOverChat:
        body = {"model": "krins", "input": "x"}
    make(ARM, NOW).request(body)
    with pytest.raises(Untranslatable) as caught:
        make(ARM, NOW).request(body | extra)
    assert (caught.value.status, caught.value.param) == (400, field)
    assert field in caught.value.message


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
INPUTS = st.dictionaries(NAMES, st.one_of(st.integers(-9, 9), TEXTS, st.booleans(), st.lists(st.none())), max_size=2)
PARTS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
    st.sampled_from(CHAT_REQUEST["messages"][1]["content"][1:]),
)


@st.composite
def calls(draw: st.DrawFn, most: int = 2) -> list[dict[str, Any]]:
    contents = draw(st.lists(st.tuples(NAMES, INPUTS), max_size=most))
    return [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": orjson.dumps(content).decode()}}
        for n, (name, content) in enumerate(contents)
    ]


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(TEXTS)})
    for _ in range(draw(st.integers(1, 3))):
        parts = draw(st.lists(PARTS, min_size=1, max_size=3))
        is_text = len(parts) == 1 and parts[0]["type"] == "text"
        messages.append({"role": "user", "content": parts[0]["text"] if is_text else parts})
        called = draw(calls())
        content = draw(TEXTS) if not called else draw(st.none() | TEXTS)
        messages.append({"role": "assistant", "content": content, **({"tool_calls": called} if called else {})})
        results = draw(st.lists(TEXTS, min_size=len(called), max_size=len(called)))
        messages += [
            {"role": "tool", "tool_call_id": call["id"], "content": result}
            for call, result in zip(called, results, strict=True)
        ]
    return messages


@given(conversations())
def test_a_conversation_there_and_back_is_the_same(messages: list[dict[str, Any]]) -> None:
    there = ChatOverMessages(ARM, NOW).request({"messages": messages, "max_tokens": 5})
    assert MessagesOverChat(ARM, NOW).request(there) == {"messages": messages, "max_tokens": 5}
    roles = [message["role"] for message in there["messages"]]
    assert all(one != other for one, other in pairwise(roles))


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    called = draw(calls())
    content = draw(TEXTS) if not called else draw(st.none() | TEXTS)
    message = {"role": "assistant", "content": content, "refusal": None} | ({"tool_calls": called} if called else {})
    reason = "tool_calls" if called else draw(st.sampled_from(["stop", "length", "content_filter"]))
    prompt, output = draw(st.integers(0, 999)), draw(st.integers(0, 99))
    return {
        "id": "a1", "object": "chat.completion", "created": int(NOW), "model": "m",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": draw(st.integers(0, prompt)), "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }  # fmt: skip


def chunks_of(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The answer as a stream of Chat Completions, each text in two pieces."""
    head = {"id": answer["id"], "object": "chat.completion.chunk", "created": int(NOW), "model": answer["model"]}
    choice = answer["choices"][0]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    text = choice["message"]["content"] or ""
    deltas += [{"content": piece} for piece in (text[:1], text[1:]) if piece]
    for index, call in enumerate(choice["message"].get("tool_calls", ())):
        arguments, function = call["function"]["arguments"], {"name": call["function"]["name"], "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": function}]})
        for piece in (arguments[:3], arguments[3:]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    for delta in deltas:
        yield head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield head | {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    yield head | {"choices": [], "usage": answer["usage"]}


def streamed(make: Any, events: Any, body: Any) -> list[dict[str, Any]]:
    """Copies, for an event is right when it is handed out."""
    translation = make(ARM, NOW)
    translation.request(body)
    stream = translation.stream()
    said = [orjson.loads(orjson.dumps(out)) for event in events for out in stream.take(event)]
    return said + [orjson.loads(orjson.dumps(out)) for out in stream.end()]


MESSAGES_BODY = {"messages": [USER], "max_tokens": 9}
RESPONSES_BODY: dict[str, Any] = {"input": "x", "metadata": {"a": "b"}}


@given(answers())
def test_an_answer_there_and_back_is_the_same_whole_and_streamed(answer: dict[str, Any]) -> None:
    as_message = MessagesOverChat(ARM, NOW).answer(answer)
    assert ChatOverMessages(ARM, NOW).answer(as_message) == answer

    events = streamed(MessagesOverChat, chunks_of(answer), MESSAGES_BODY)
    # Anthropic's own SDK makes the whole message out of the events.
    snapshot: Any = None
    pieces: dict[int, bytes] = {}
    for event in events:
        parsed = SDK_EVENT.validate_python(event)
        snapshot = accumulate_event(event=parsed, current_snapshot=snapshot, json_bufs=pieces)
    assert {name: snapshot.to_dict()[name] for name in as_message} == as_message

    back = streamed(ChatOverMessages, events, MESSAGES_BODY)
    assert chat_of(back) == answer


def chat_of(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    reason = None
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        delta, reason = choice["delta"], choice["finish_reason"] or reason
        if delta.get("content"):
            message["content"] = (message["content"] or "") + delta["content"]
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                opened = {"id": call["id"], "type": call["type"], "function": dict(call["function"])}
                message.setdefault("tool_calls", []).append(opened)
            else:
                message["tool_calls"][call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    head = {name: chunks[0][name] for name in ("id", "created", "model")} | {"object": "chat.completion"}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return head | {"choices": [choice], "usage": chunks[-1]["usage"]}


@given(answers())
def test_a_streamed_response_grows_into_the_whole_one(answer: dict[str, Any]) -> None:
    translation = ResponsesOverChat(ARM, NOW)
    translation.request(RESPONSES_BODY)
    whole = translation.answer(answer)
    events = streamed(ResponsesOverChat, chunks_of(answer), RESPONSES_BODY)
    assert events[-1]["response"] == whole
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["response"]["output"] == []
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == whole["output"]
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert text == (answer["choices"][0]["message"]["content"] or "")
    assert whole["metadata"] == {"a": "b"}
    assert whole["store"] is False


@pytest.mark.parametrize("make", [MessagesOverChat, ResponsesOverChat])
def test_a_stream_that_does_not_say_why_it_ended_is_broken(make: Any) -> None:
    body = MESSAGES_BODY if make is MessagesOverChat else RESPONSES_BODY
    head = {"id": "a", "model": "m", "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]}
    with pytest.raises(BrokenReply, match="why it ended"):
        streamed(make, [head], body)


@pytest.mark.parametrize("make", [MessagesOverChat, ResponsesOverChat])
def test_mixed_up_pieces_of_calls_are_broken(make: Any) -> None:
    def chunk(index: int, **more: Any) -> dict[str, Any]:
        call = {"index": index, "function": {"name": "f", "arguments": "{"}} | more
        return {"id": "a", "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}

    body = MESSAGES_BODY if make is MessagesOverChat else RESPONSES_BODY
    with pytest.raises(BrokenReply, match="mixed up"):
        streamed(make, [chunk(0, id="c0"), chunk(1, id="c1"), chunk(0)], body)


def test_arguments_that_are_no_json_are_a_broken_answer() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
    choice = {"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    with pytest.raises(BrokenReply, match="no JSON"):
        MessagesOverChat(ARM, NOW).answer({"id": "a", "model": "m", "choices": [choice]})
