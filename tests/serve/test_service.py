"""The whole service as its callers meet it: two replicas on Ray, keys on, in front of a fake provider."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from tests.serve.conftest import RunningService
from tests.serve.service_api import (
    ARMS,
    CHAT,
    HIDDEN,
    PARTS,
    PROMPT,
    Api,
    anthropic_sdk,
    both_replicas,
    connection,
    openai_sdk,
    outcome,
    routed,
    task,
    until,
)
from tests.serve.test_page import CELLS, SIGN_IN, in_browser
from tests.support.browser import look
from tests.support.fake_provider import TASKS, start_fake_provider


def test_openais_sdk_works_unchanged(service: RunningService) -> None:
    async def run() -> None:
        async with openai_sdk(service) as client:
            names = [model.id async for model in client.models.list()]
            assert names[0] == "krins" and {f"krins/{arm}" for arm in ARMS} < set(names)
            raw = await client.chat.completions.with_raw_response.create(**CHAT)
            answer = raw.parse()
            assert raw.headers["x-krins-model"] in ARMS and raw.headers["x-krins-decision-id"]
            assert raw.headers["x-krins-label"] == "fake provider"
            assert answer.choices[0].finish_reason == "stop" and answer.usage and answer.usage.completion_tokens
            chunks = [chunk async for chunk in await client.chat.completions.create(**CHAT, stream=True)]
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            assert chunks[-1].choices[0].finish_reason == "stop"
            whole = await client.responses.create(model="krins/qwen2.5-coder-1.5b", input=PROMPT)
            async with client.responses.stream(model="krins/qwen2.5-coder-1.5b", input=PROMPT) as stream:
                pieces = [event.delta async for event in stream if event.type == "response.output_text.delta"]
                final = await stream.get_final_response()
            assert "".join(pieces) == final.output_text == whole.output_text != ""
            with pytest.raises(openai.NotFoundError) as caught:
                await client.chat.completions.create(**{**CHAT, "model": "gpt-5"})
            assert caught.value.code == "model_not_found"
        async with openai_sdk(service, "krins_wrong") as stranger:
            with pytest.raises(openai.AuthenticationError):
                await stranger.chat.completions.create(**CHAT)

    asyncio.run(run())


def test_anthropics_sdk_works_unchanged_and_tools_pass_through(service: RunningService) -> None:
    asked: dict[str, Any] = {"model": "krins", "max_tokens": 500, "messages": CHAT["messages"]}
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    tooled = {
        **asked,
        "model": "krins/by-messages",
        "tools": [{"name": "read_file", "description": "Read a file.", "input_schema": schema}],
        "tool_choice": {"type": "tool", "name": "read_file"},
    }

    async def run() -> None:
        async with anthropic_sdk(service) as client:
            assert "krins" in [model.id async for model in client.models.list()]
            answer = await client.messages.create(**asked)
            assert answer.content[0].type == "text" and answer.content[0].text and answer.usage.output_tokens
            async with client.messages.stream(**{**asked, "model": "claude-of-the-agent"}) as stream:
                assert "".join([text async for text in stream.text_stream])
                assert (await stream.get_final_message()).stop_reason == "end_turn"
            whole = await client.messages.create(**tooled)
            async with client.messages.stream(**tooled) as streamed:
                final = await streamed.get_final_message()
            for message in (whole, final):
                used: Any = message.content[0]
                assert (message.stop_reason, len(message.content)) == ("tool_use", 1)
                assert (used.type, used.name, type(used.input["path"])) == ("tool_use", "read_file", str)
            with pytest.raises(anthropic.NotFoundError):
                await client.messages.create(**{**asked, "model": "krins/none"})

    asyncio.run(run())


async def _has_learnt(api: Api, version: int) -> bool | None:
    """Whether this replica decides by at least so many outcomes."""
    return True if (await api("POST", "/v1/route", {}))[1]["version"] >= version else None


def test_feedback_given_to_one_replica_is_what_both_decide_by(service: RunningService) -> None:
    async def run() -> None:
        async with both_replicas(service) as (one, other):
            before = (await one("GET", "/api/learning/state"))[1]["version"]
            late, decision = await routed(one), await routed(one)
            status, receipt = await other("POST", "/v1/feedback", outcome(decision))
            assert (status, receipt["status"]) == (200, "applied")
            assert receipt["version"] == before + 1
            # Whoever gave the feedback decides by it at once, the other a moment later.
            assert await _has_learnt(other, before + 1)
            await until(lambda: _has_learnt(one, before + 1))
            for api in (one, other):
                assert (await api("GET", "/api/learning/state"))[1]["version"] == before + 1
            batch = {"items": [outcome(await routed(other)) for _ in range(5)]}
            assert {item["status"] for item in (await one("POST", "/v1/feedback", batch))[1]["items"]} == {"applied"}
            _, receipt = await one("POST", "/v1/feedback", outcome(late))
            assert (receipt["status"], receipt["version"]) == ("applied", before + 7), "late, and after others"
            await until(lambda: _has_learnt(other, before + 7))

    asyncio.run(run())


def test_feedback_counts_once_wherever_and_however_often_it_is_sent(service: RunningService) -> None:
    async def run() -> None:
        async with both_replicas(service) as (one, other):
            decision = await routed(one)
            before = (await one("GET", "/api/learning/state"))[1]["version"]
            sent = [api("POST", "/v1/feedback", outcome(decision)) for api in (one, other)]
            receipts = [receipt for _, receipt in await asyncio.gather(*sent)]
            assert sorted(receipt["status"] for receipt in receipts) == ["applied", "duplicate"]
            status, receipt = await other("POST", "/v1/feedback", outcome(decision, 0.0))
            assert (status, receipt["status"], receipt["version"]) == (200, "conflict", before + 1)
            status, told = await one("POST", "/v1/feedback", outcome(decision[:-2] + "AA"))
            assert status == 400 and told["error"]["remedy"]
            assert (await one("GET", "/api/learning/state"))[1]["version"] == before + 1

    asyncio.run(run())


def test_metrics_count_what_both_replicas_did(service: RunningService) -> None:
    async def counted(api: Api) -> Counter[str]:
        _, text = await api("GET", "/metrics")
        return Counter({line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines()
                        if line.startswith("krins_") and not line.startswith("# ")})  # fmt: skip

    async def run() -> None:
        async with both_replicas(service) as (one, other):
            before = await counted(one)
            for api, times in ((one, 5), (other, 7)):
                for _ in range(times):
                    assert (await api("GET", "/v1/models"))[0] == 200
            pinned = {**CHAT, "model": "krins/qwen2.5-coder-1.5b"}
            for api in (one, other):
                assert (await api("POST", "/v1/chat/completions", pinned))[0] == 200
                assert (await api("POST", "/v1/feedback", outcome(await routed(api))))[0] == 200
            for api in (one, other):
                grown = (await counted(api)) - before
                assert grown['krins_requests_total{route="/v1/models",status="200"}'] == 12
                calls = 'krins_upstream_calls_total{model="qwen2.5-coder-1.5b",outcome="ok"}'
                assert grown[calls] == 2
                assert grown['krins_feedback_total{status="applied"}'] == 2
                assert grown['krins_spend_usd_total{model="qwen2.5-coder-1.5b"}'] > 0
                decided = {name: count for name, count in grown.items() if name.startswith("krins_decisions_total")}
                assert sum(decided.values()) == 4
                assert sum(count for name, count in decided.items() if 'reason="pinned"' in name) == 2

    asyncio.run(run())


def test_health_names_each_part_with_figures(service: RunningService) -> None:
    async def run() -> None:
        async with connection(service) as api, api.session.get("/health") as answer:
            report = await answer.json()
        assert report["parts"].keys() == PARTS
        # The tests' Ray has no token, and is for this machine alone.
        unwell = {name: part for name, part in report["parts"].items() if part["status"] != "ok" and name != "ray"}
        assert report["ready"] and not unwell
        assert report["label"] == "fake provider"
        figures = {name: part["figures"] for name, part in report["parts"].items()}
        assert figures["learner"]["version"] >= 0 and figures["keeper"]["queued"] >= 0 and figures["keys"]["keys"] > 0
        assert figures["disk"]["free_bytes"] > 0 and figures["memory"]["resident_bytes"] > 0
        assert figures["store"]["write_and_sync_seconds"] > 0

    asyncio.run(run())


@in_browser
def test_the_page_shows_arms_and_label_to_who_has_a_key(service: RunningService, tmp_path: Path) -> None:
    async def served() -> None:
        async with connection(service) as api:
            await routed(api)

    asyncio.run(served())
    label = "document.querySelector('.label').textContent"
    asked = [CELLS % "arms", label, SIGN_IN % json.dumps(service.admin_key), CELLS % "arms", CELLS % "health"]
    seen = look(f"{service.url}/", 1000, tmp_path / "profile", *asked)
    before, label, _, arms, health = seen.values
    assert (before, label) == ([], "fake provider")
    assert {row[0] for row in arms} >= ARMS
    assert {row[0] for row in health} == PARTS
    assert all("status of 401" in complaint for complaint in seen.complaints), "the browser's own word"


def test_a_task_that_hidden_tests_judge_is_learnt_from(service: RunningService) -> None:
    async def run() -> None:
        async with connection(service) as api:
            pinned = task(tests=HIDDEN, model="krins/qwen2.5-coder-1.5b")
            status, result = await api("POST", "/api/agents/propose", pinned)
            assert status == 200
            assert (result["verdict"]["by"], result["verdict"]["passed"]) == ("hidden tests", True)
            assert result["files"].keys() == {"accounts/profile.py"}
            assert (result["decision_id"], result["feedback"]) == ("", None), "the router decided nothing"
            before = (await api("GET", "/api/learning/state"))[1]["version"]
            status, result = await api("POST", "/api/agents/propose", task(tests=HIDDEN))
            assert (status, result["feedback"]) == (200, "applied"), result
            assert (await api("GET", "/api/learning/state"))[1]["version"] == before + 1
            _, told = await api("GET", "/api/learning/outcomes?limit=1")
            assert told["outcomes"][0]["arm"] == result["model"]
            assert told["outcomes"][0]["quality"] == result["quality"] == float(result["verdict"]["passed"] or 0)
            # Who says it again says nothing new.
            said = {"decision_id": result["decision_id"], "quality": result["quality"]}
            assert (await api("POST", "/v1/feedback", said))[1]["status"] == "duplicate"

    asyncio.run(run())


def test_dead_tasks_are_kept_and_come_back_to_life(service: RunningService, tmp_path: Path) -> None:
    async def state_is(api: Api, task_id: str, state: str) -> dict[str, Any] | None:
        status, told = await api("GET", f"/api/tasks/{task_id}")
        assert status == 200 and told["state"] in {"queued", "running", state}, told
        return told if told["state"] == state else None

    async def run() -> None:
        async with connection(service) as api:
            ids = []
            for number in range(2):
                posted = task(model="krins/dead-end", category=f"dead-{number}")
                status, told = await api("POST", "/api/tasks", posted)
                assert status == 202
                ids.append(told["task_id"])
            for task_id in ids:
                dead = await until(lambda task_id=task_id: state_is(api, task_id, "dead"))  # type: ignore[misc]
                assert len(dead["errors"]) == dead["attempt"] > 1
            assert {one["task_id"] for one in (await api("GET", "/api/tasks/dead-letters"))[1]["tasks"]} >= set(ids)
            status, told = await api("POST", "/api/agents/propose", task(model="krins/dead-end", category="dead-0"))
            assert (status, told["error"]["code"]) == (502, "task_dead")
            provider = start_fake_provider(tmp_path, "--tasks", str(TASKS), "--port", str(service.dead_end_port))
            try:
                assert (await api("POST", f"/api/tasks/{ids[0]}/retry"))[0] == 202
                status, told = await api("POST", "/api/tasks/dead-letters/requeue", {"task_id": ids[1]})
                assert (status, told) == (200, {"task_ids": [ids[1]]})
                for task_id in ids:
                    await until(lambda task_id=task_id: state_is(api, task_id, "done"))  # type: ignore[misc]
            finally:
                provider.stop()
            status, told = await api("POST", f"/api/tasks/{ids[0]}/retry")
            assert (status, told["error"]["code"]) == (409, "task_not_dead")
            stats = (await api("GET", "/api/tasks/queue/stats"))[1]
            assert stats["running"] == 0 and stats["done"] >= 2

    asyncio.run(run())
