"""Server-sent events and what each wire format reads from them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.domain import Usage
from krins.errors import BrokenReply, Overloaded
from serve.gateway.targets import CHAT, MESSAGES, RESPONSES
from serve.gateway.wire import MOST_EVENT_BYTES, Events, Piece, content_of, data_of, is_cut_off, name_of

LINES = st.lists(st.sampled_from([b"data: {}", b"event: ping", b": comment", b'data:{"a":1}']), min_size=1, max_size=3)


@given(st.lists(LINES, max_size=6), st.sampled_from([b"\n", b"\r\n"]), st.data())
def test_events_are_the_same_however_they_are_cut_into_chunks(
    events: list[list[bytes]], end: bytes, data: st.DataObject
) -> None:
    expected = [end.join(lines) + end + end for lines in events]
    stream = b"".join(expected)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    splitter = Events()
    chunks = [stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [event for chunk in chunks for event in splitter.feed(chunk)] == expected


def test_an_event_without_end_is_given_up() -> None:
    splitter = Events()
    with pytest.raises(BrokenReply, match="16 MiB"):
        for _ in range(3):
            splitter.feed(b"x" * (MOST_EVENT_BYTES // 2))


def test_what_has_come_of_an_event_is_put_together_once(monkeypatch: pytest.MonkeyPatch) -> None:
    splitter, n_cuts = Events(), 0
    cut = splitter._cut

    def counted() -> list[bytes]:
        nonlocal n_cuts
        n_cuts += 1
        return cut()

    monkeypatch.setattr(splitter, "_cut", counted)
    chunks = [b"data: ", *[b"x\r"] * 100, b"\n", b"\r", b"\n"]
    assert [event for chunk in chunks for event in splitter.feed(chunk)] == [b"".join(chunks)]
    assert n_cuts == 1


def test_names_and_data() -> None:
    assert name_of(b"event: ping\ndata: {}\n\n") == b"ping"
    assert name_of(b'data: {"type": "ping"}\n\n') == b"ping"
    assert data_of(b"data: a\ndata:b\n\n") == b"a\nb"
    assert data_of(b": comment\n\n") == b""
    assert content_of(b"data: [1]\n\n") is None
    assert is_cut_off(b'data: {"a": \n\n')
    assert not any(map(is_cut_off, [b"data: {}\n\n", b"data: [DONE]\n\n", b": comment\n\n", b"data: {}\r\n\r\n"]))


def watched(wire: Any, *events: bytes) -> tuple[list[Piece], Any]:
    watch = wire.watch()
    return [watch.take(event) for event in events], watch


def data(content: Any, name: str = "") -> bytes:
    return (f"event: {name}\n".encode() if name else b"") + b"data: %b\n\n" % orjson.dumps(content)


CHAT_USAGE = {
    "prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14, "prompt_tokens_details": {"cached_tokens": 6},
}  # fmt: skip


def test_a_stream_of_chat_completions() -> None:
    text = {"choices": [{"delta": {"content": 'he said "usage" and "error"'}}], "usage": None}
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": CHAT_USAGE}
    alone = {"choices": [], "usage": CHAT_USAGE | {"completion_tokens": 5, "total_tokens": 15}}
    pieces, watch = watched(CHAT, b": ping\n\n", data(text), data(last), data(alone), b"data: [DONE]\n\n")
    assert pieces == [Piece.PREAMBLE, Piece.PART, Piece.PART, Piece.USAGE, Piece.END]
    # What is told twice is told in place of the first.
    assert watch.usage == Usage(10, 5, cached_tokens=6)
    pieces, watch = watched(CHAT, data({"error": {"message": "server_error: no"}}))
    assert pieces == [Piece.FAILED]
    assert isinstance(watch.fault, Overloaded)
    pieces, watch = watched(CHAT, data(text)[:-12] + b"\n\n")
    assert pieces == [Piece.FAILED]
    assert isinstance(watch.fault, BrokenReply)


def test_a_stream_of_messages() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1,
             "cache_read_input_tokens": 6, "cache_creation_input_tokens": 1}}}  # fmt: skip
    part = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    events = [data(start, "message_start"), data(part, "content_block_delta"), data(delta, "message_delta")]
    pieces, watch = watched(MESSAGES, *events[:2])
    assert watch.usage is None  # the answer's is not known yet
    pieces, watch = watched(MESSAGES, *events, data({"type": "message_stop"}, "message_stop"))
    assert pieces == [Piece.PREAMBLE, Piece.PART, Piece.PART, Piece.END]
    assert watch.usage == Usage(10, 9, cached_tokens=6, cache_write_tokens=1)
    assert watched(MESSAGES, data({"type": "ping"}, "ping"))[0] == [Piece.PREAMBLE]  # says nothing


def test_a_stream_of_responses() -> None:
    usage = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 6}, "output_tokens": 4,
             "output_tokens_details": {"reasoning_tokens": 2}}  # fmt: skip
    created = data({"type": "response.created", "response": {}}, "response.created")
    part = data({"type": "response.output_text.delta", "delta": "a"}, "response.output_text.delta")
    end = data({"type": "response.completed", "response": {"usage": usage}}, "response.completed")
    pieces, watch = watched(RESPONSES, created, part, end)
    assert pieces == [Piece.PREAMBLE, Piece.PART, Piece.END]
    assert watch.usage == Usage(10, 4, cached_tokens=6, reasoning_tokens=2)


@pytest.mark.parametrize("wire", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("told", [None, 7, {}, {"prompt_tokens": -1, "completion_tokens": 1, "input_tokens": "x"}])
def test_usage_that_makes_no_sense_is_none(wire: Any, told: Any) -> None:
    assert wire.usage({"usage": told}) is None


def test_prompts() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": [{"type": "text", "text": "first"}]},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "second"},
        {"role": "tool", "content": "result"},
    ]
    assert CHAT.prompt({"messages": messages}) == ("S", "first", "second", False)
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "r"}]}
    assert MESSAGES.prompt({"system": [{"type": "text", "text": "S"}], "messages": [*messages[1:4], result]}) == (
        "S", "first", "second", False,
    )  # fmt: skip
    items = [*messages[:2], {"type": "function_call_output", "output": "r"}]
    assert RESPONSES.prompt({"input": items}) == ("\nS", "first", "first", True)
    assert RESPONSES.prompt({"input": "x", "instructions": "S"}) == ("S", "x", "x", True)
    assert not RESPONSES.prompt({"input": "x", "previous_response_id": "r"}).is_first
