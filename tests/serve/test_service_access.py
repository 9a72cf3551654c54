"""Who may do what with the running service: keys, scopes, budgets, steering on record, and no secret in any file."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.serve.conftest import PROVIDER_KEY, RunningService, add_key
from tests.serve.service_api import (
    CHAT,
    PROMPT,
    Api,
    connection,
    is_known,
    openai_sdk,
    operations,
    outcome,
    routed,
    task,
    until,
)
from tests.serve.test_security_service import STRANGE


def test_strangers_are_turned_away_from_every_route_but_health(service: RunningService) -> None:
    async def run() -> None:
        table = await operations(service)
        assert len(table) >= 34
        async with connection(service) as api:
            for method, path, _ in table:
                for headers in STRANGE:
                    async with api.session.request(method, path, headers=headers, data=b"{") as answer:
                        text = await answer.text()
                    assert (answer.status == 401) is not path.startswith("/health"), (path, headers, answer.status)
                    assert "62615533" not in text and "passwd" not in text and "Traceback" not in text

    asyncio.run(run())


@pytest.mark.parametrize(
    "head",
    [
        "GET http://127.0.0.1/v1/models HTTP/1.1\r\nHost: 127.0.0.1",
        "GET http://localhost/health/../v1/models HTTP/1.1\r\nHost: localhost",
        "GET /health/../v1/models HTTP/1.1\r\nHost: localhost",
        "GET /health/%2e%2e/v1/models HTTP/1.1\r\nHost: localhost",
        "GET //v1/models HTTP/1.1\r\nHost: localhost",
        "GET /v1/models#/health HTTP/1.1\r\nHost: localhost",
        "GET /v1/models?/health HTTP/1.1\r\nHost: localhost\r\nX-Original-URL: /health\r\nX-Rewrite-URL: /health",
        "GET /v1%2fmodels HTTP/1.1\r\nHost: localhost",
        "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example",
        "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y",
        "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: Authorization\r\nX-Forwarded-User: admin",
        "GET /v1/models HTTP/1.0",
    ],
)
def test_no_trick_with_host_or_path_leads_around_the_key(service: RunningService, head: str) -> None:
    async def run() -> None:
        port = int(service.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        assert answer.split()[1] in (b"400", b"401", b"404"), answer[:200]
        assert b"qwen" not in answer

    asyncio.run(run())


@pytest.mark.parametrize("scope", ["infer", "feedback"])
def test_a_key_does_what_its_scope_names_and_no_more(service: RunningService, scope: str) -> None:
    async def run() -> None:
        refused = 0
        async with connection(service, add_key(service.home, scope)) as api:
            await until(lambda: is_known(api))
            for method, path, operation in await operations(service):
                roles = operation["security"][0]["bearer"] if operation["security"] else []
                if roles and scope not in roles:
                    status, told = await api(method, path, {})
                    assert (status, _code(told)) == (403, "insufficient_scope"), path
                    refused += 1
        assert refused >= 10

    asyncio.run(run())


def _code(told: Mapping[str, Any]) -> str:
    """Of an error in any dialect; Anthropic's has none but in words."""
    error = told["error"]
    return str(error.get("code") or ("insufficient_scope" if error["type"] == "permission_error" else error["type"]))


def _audited(home: Path) -> Counter[tuple[str, str, str]]:
    """How often each administrator, by key, did what with which outcome."""
    lines = [line for file in (home / "serving" / "audit").glob("*.jsonl") for line in file.read_text().splitlines()]
    records = [json.loads(line)["record"] for line in lines]
    return Counter((one["key_id"], one["path"], one["outcome"]) for one in records if one["event"] == "admin")


def test_steering_takes_effect_and_is_in_the_audit_log(service: RunningService) -> None:
    async def run() -> None:
        key = add_key(service.home, "admin")
        key_id = key.split("_")[1]
        async with connection(service, key) as api:
            await until(lambda: is_known(api))
            decision = await routed(api)
            status, state = await api("POST", "/api/learning/freeze")
            assert (status, state["frozen"]) == (200, True)
            try:
                _, receipt = await api("POST", "/v1/feedback", outcome(decision))
                assert (receipt["status"], receipt["version"]) == ("recorded", state["version"])
            finally:
                status, state = await api("POST", "/api/learning/unfreeze")
            assert (status, state["frozen"]) == (200, False)
            status, told = await api("POST", "/api/learning/rollback")
            assert (status, told["error"]["code"]) == (409, "no_former_router")
        steps = {"freeze": "200", "unfreeze": "200", "rollback": "409 no_former_router"}
        for step, ended in steps.items():
            for said in ("begun", ended):
                assert _audited(service.home)[key_id, f"/api/learning/{step}", said] == 1, (step, said)

    asyncio.run(run())


def test_metrics_say_what_is_left_of_a_budget(service: RunningService) -> None:
    async def left(api: Api, key_id: str) -> float | None:
        _, text = await api("GET", "/metrics")
        found = re.search(rf'^krins_key_budget_left_ratio{{key="{key_id}"}} (.+)$', text, re.MULTILINE)
        return float(found[1]) if found else None

    async def run() -> None:
        key = add_key(service.home, "infer", "--budget-usd", "0.001")
        key_id = key.split("_")[1]
        async with connection(service, key) as api, connection(service, service.admin_key) as admin:

            async def is_whole() -> bool | None:
                return await left(admin, key_id) == 1.0 or None

            async def is_begun() -> bool | None:
                return 0.0 < (await left(admin, key_id) or 0.0) < 1.0 or None

            await until(is_whole)
            assert (await api("POST", "/v1/chat/completions", {**CHAT, "max_tokens": 100}))[0] == 200
            await until(is_begun)

    asyncio.run(run())


def test_a_key_without_budget_is_told_so(service: RunningService) -> None:
    async def run() -> None:
        key = add_key(service.home, "infer", "--budget-usd", "0.000001")
        async with connection(service, key) as api, openai_sdk(service, key) as client:
            await until(lambda: is_known(api))
            n_calls = len(service.provider.calls)
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(**CHAT)
            assert caught.value.code == "budget_exhausted"
            assert int(caught.value.response.headers["retry-after"]) > 0
            status, told = await api("POST", "/api/agents/propose", task())
            assert (status, told["error"]["code"]) == (429, "budget_exhausted")
            assert len(service.provider.calls) == n_calls, "nobody was asked"

    asyncio.run(run())


def test_no_secret_is_in_any_file(service: RunningService) -> None:
    """A caller's key that came in every wrong place, and the key of a provider."""
    import ray

    key = add_key(service.home, "infer")
    secret = key.split("_", 2)[2]

    async def run() -> None:
        async with connection(service, key) as api:
            await until(lambda: is_known(api))
            chat = {**CHAT, "model": "krins/by-messages"}
            assert (await api("POST", "/v1/chat/completions", chat))[0] == 200
            assert (await api("POST", "/v1/messages", {**chat, "max_tokens": 100}))[0] == 200
            assert (await api("POST", "/v1/feedback", {}))[0] == 403
            await api("GET", f"/v1/models?api_key={key}")
            await api("GET", f"/v1/{key}")
            await api("POST", "/v1/route", {"prompt": PROMPT, "conversation": key, key: 1})
            await api("POST", "/v1/chat/completions", chat, authorization=key)
            await api("POST", "/v1/chat/completions", chat, content_type="text/plain", x_krins_conversation=key)

    asyncio.run(run())
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    files = [file for folder in (service.home, session) for file in folder.rglob("*") if file.is_file()]
    assert any(file.suffix == ".jsonl" for file in files) and any(file.suffix == ".log" for file in files)
    for file in [*files, service.log]:
        with suppress(FileNotFoundError):  # some come and go
            content = file.read_bytes()
            for what in (secret, service.admin_key, PROVIDER_KEY):
                assert what.encode() not in content, file
