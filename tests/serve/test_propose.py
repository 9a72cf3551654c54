"""Tasks end to end: real keeper and workers on Ray, a real sandbox, and a fake provider behind real SDKs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from pydantic import ValidationError

from krins.clock import SystemClock
from krins.domain import Task
from krins.models.catalogue import resolve_all
from krins.pipeline.tasks import load_tree
from serve.interfaces import Answered, Decided, DecisionMade, Feedback, Receipt, Reservation, Turn
from serve.jobs.actor import start_keeper
from serve.jobs.client import ClaimsClient, KeeperClient
from serve.jobs.coordinator import TaskCoordinator
from serve.jobs.examples import RESULT, STATUS
from serve.jobs.idempotent import idempotent
from serve.jobs.models import EXAMPLE, Order, TaskRequest, TaskResult, TaskStatus
from serve.jobs.routes import routes
from serve.jobs.tasks import Tasks
from serve.jobs.worker_actor import ensure_workers
from serve.settings import ServiceArgs
from serve.web import Answer, Call, Client, Refusal, Route, Scope
from tests.support.fake_provider import TASKS, FakeServer, start_fake_provider

TASK = TASKS / "backend-easy-clear-field"
PROMPT = yaml.safe_load((TASK / "task.yaml").read_text())["prompt"]
ME, ADMIN = (Client(name, frozenset([scope])) for name, scope in (("me", Scope.INFER), ("boss", Scope.ADMIN)))


def request(**more: Any) -> dict[str, Any]:
    """The posted task, without its hidden tests unless `more` has them."""
    return {
        "prompt": PROMPT,
        "tree": load_tree(TASK / "tree"),
        "language": "python",
        "visible_tests": ["tests/test_profile.py"],
        "pipeline": {"mode": "direct"},
        **more,
    }


HIDDEN = (TASK / "tests.py").read_text()


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    server = start_fake_provider(tmp_path_factory.mktemp("provider"), "--tasks", str(TASKS))
    yield server
    server.stop()


def arguments(provider: FakeServer, home: Path) -> ServiceArgs:
    models = [
        {
            "name": name,
            "model": name.removesuffix("-judge"),
            "base_url": provider.base_url,
            "usd_per_million_input_tokens": "1",
            "usd_per_million_output_tokens": "2",
            "max_tries": 1,
        }
        for name in ("p-100", "p-0", "p-100-judge")
    ]
    return ServiceArgs.model_validate({"home": home, "models": models, "router": "suite:x#y"})


@dataclass
class Parts:
    """Small stand-ins for what other rooms bring: a router that always chooses `p-100`, a journal, accounts."""

    notes: list[DecisionMade | Answered] = field(default_factory=list)
    settled: list[tuple[Decimal, Decimal | None]] = field(default_factory=list)

    def decide(self, task: Task, turn: Turn | None = None) -> Decided:
        return Decided("d-1", "p-100", 0.5, "router", 1, 0, "test/1")

    def pinned(self, arm: str) -> Decided:
        return Decided("", arm, None, "pinned", 1, 0, "test/1")

    def redirect(self, decided: Decided, arm: str, reason: str, turn: Turn | None = None) -> Decided:
        raise AssertionError("a job is never redirected")

    async def feedback(self, items: Sequence[Feedback]) -> Sequence[Receipt]:
        raise AssertionError("the worker feeds back")

    def note(self, record: DecisionMade | Answered) -> None:
        self.notes.append(record)

    async def ask(self, what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def reserve(self, client: Client, usd: Decimal) -> Reservation:
        return Reservation(client.key_id, usd)

    def settle(self, reservation: Reservation, usd: Decimal | None) -> None:
        self.settled.append((reservation.usd, usd))


class Silent:
    """Meters that count what was saved."""

    saved = 0

    def request(self, route: str, status: int, seconds: float) -> None: ...

    def decision(self, arm: str, reason: str) -> None: ...

    def upstream(self, arm: str, outcome: str, seconds: float) -> None: ...

    def spend(self, arm: str, usd: Decimal) -> None: ...

    def tokens(self, arm: str, kind: str, count: int) -> None:
        self.saved += count if kind == "saved" else 0

    def breaker(self, endpoint: str, state: str) -> None: ...

    def queue(self, status: str, depth: int) -> None: ...

    def feedback(self, status: str) -> None: ...


class Api:
    """Calls handlers as the door does."""

    def __init__(self, table: Sequence[Route]) -> None:
        self._table: dict[tuple[str, str], Route] = {(route.method, route.path): route for route in table}

    async def __call__(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        client: Client = ME,
        headers: Mapping[bytes, bytes] | None = None,
        **params: str,
    ) -> Answer:
        route = self._table[method, path]
        text = b"" if body is None else orjson.dumps(body)
        data = None if route.body is None else route.body.model_validate_json(text)
        query = None if route.query is None else route.query.model_validate({})
        return await route.handle(Call(method, path, params, query, headers or {}, text, data, client, "r-1"))


@pytest.fixture
def names(ray_cluster: None, request: pytest.FixtureRequest) -> Iterator[str]:
    """Actors of this test alone."""
    import ray

    space = f"krins-{request.node.name}"[:60]
    yield space
    for entry in ray.util.list_named_actors(all_namespaces=True):
        if entry["namespace"] == space:
            ray.kill(ray.get_actor(entry["name"], space))


def serving(
    args: ServiceArgs,
    space: str,
    parts: Parts,
    script: Callable[[Api, KeeperClient, Callable[[], Any]], Awaitable[None]],
) -> None:
    async def serve() -> None:
        keeper = KeeperClient(lambda: start_keeper(args, space))
        specs = resolve_all(args.models, {})

        def workers() -> Any:
            return ensure_workers(args, space)

        tasks = Tasks(keeper, parts, parts, parts, Silent(), specs, workers, SystemClock())
        await script(Api(routes(tasks, keeper)), keeper, workers)
        await tasks.close()

    asyncio.run(serve())


def test_proposed_done_followed_replayed_and_accounted(provider: FakeServer, tmp_path: Path, names: str) -> None:
    parts, found = Parts(), []

    async def script(api: Api, keeper: KeeperClient, workers: Callable[[], Any]) -> None:
        answer = await api("POST", "/api/agents/propose", request(tests=HIDDEN))
        assert (answer.status, isinstance(answer.body, bytes)) == (200, True)
        result = TaskResult.model_validate_json(answer.body)  # type: ignore[arg-type]
        found.append(result)
        task_id = dict(answer.headers)[b"x-krins-task-id"].decode()
        n_calls = len(provider.calls)
        again = await api("POST", "/api/agents/propose", request(tests=HIDDEN))
        assert again.body == answer.body and (b"idempotent-replayed", b"true") in again.headers
        assert len(provider.calls) == n_calls, "nothing is executed twice"
        stream = await api("GET", "/api/tasks/{task_id}/events", task_id=task_id)
        told = [piece async for piece in stream.body]  # type: ignore[union-attr]
        steps = [piece.split(b"event: ")[1].split(b"\n")[0].decode() for piece in told]
        assert steps == ["queued", "running", "proposing", "hidden_tests", "done"]
        since = {b"last-event-id": b"3"}
        rest = await api("GET", "/api/tasks/{task_id}/events", task_id=task_id, headers=since)
        assert [piece async for piece in rest.body] == told[3:]  # type: ignore[union-attr]
        with pytest.raises(Refusal, match="there is no task"):
            await api("GET", "/api/tasks/{task_id}", task_id=task_id, client=Client("you", frozenset([Scope.INFER])))
        status = await api("GET", "/api/tasks/{task_id}", task_id=task_id, client=ADMIN)
        assert TaskStatus.model_validate_json(status.body).result == result  # type: ignore[arg-type]
        while not parts.settled:
            await asyncio.sleep(0.01)

    serving(arguments(provider, tmp_path), names, parts, script)
    [result] = found
    assert (result.decision_id, result.model, result.reason) == ("d-1", "p-100", "router")
    assert (result.verdict.by, result.verdict.passed, result.failure) == ("hidden tests", True, None)
    assert result.files.keys() == {"accounts/profile.py"} and "+++ b/accounts/profile.py" in result.diff
    assert result.input_tokens and result.output_tokens
    assert result.cost_usd == (result.input_tokens + 2 * result.output_tokens) / Decimal(1_000_000)
    assert [(call.agent, call.model) for call in result.calls] == [("proposer", "p-100")]
    assert result.context_tokens > 0
    [(reserved, cost)] = parts.settled
    assert cost == result.cost_usd < reserved
    made, answered = parts.notes
    assert isinstance(made, DecisionMade) and isinstance(answered, Answered)
    assert (made.route, made.arm, answered.cost_usd, answered.error) == ("task", "p-100", cost, None)


def test_a_worker_that_is_killed_loses_its_lease_and_the_task_is_done_by_its_successor(
    provider: FakeServer, tmp_path: Path, names: str
) -> None:
    import ray

    async def script(api: Api, keeper: KeeperClient, workers: Callable[[], Any]) -> None:
        prefer = {b"prefer": b"wait=0"}
        posted = [request(model="krins/p-100", category=str(number)) for number in range(3)]
        answers = [await api("POST", "/api/agents/propose", body, headers=prefer) for body in posted]
        assert [answer.status for answer in answers] == [202, 202, 202]
        first, *others = (TaskStatus.model_validate_json(answer.body).task_id for answer in answers)  # type: ignore[arg-type]
        cancelled = await api("POST", "/api/tasks/{task_id}/cancel", task_id=others[1])
        assert orjson.loads(cancelled.body)["state"] == "cancelled"  # type: ignore[arg-type]
        while not (await keeper.until(1.0, "jobs", "news", first, None, 1)).events:
            pass
        [worker] = workers()
        os.kill(ray.get(worker.pid.remote()), signal.SIGKILL)
        keeper_pid = await keeper.call("claims", "renew", "r")
        assert keeper_pid is None
        ray.kill(ray.get_actor("krins-keeper", names), no_restart=False)
        for task_id in (first, others[0]):
            job = None
            while job is None:
                job = await keeper.until(5.0, "jobs", "ended", task_id)
            assert (job.state, job.result is not None) == ("done", True)
            result = TaskResult.model_validate_json(job.result)
            assert (result.verdict.by, result.verdict.passed, result.decision_id) == ("nobody", None, "")
        stats = orjson.loads((await api("GET", "/api/tasks/queue/stats")).body)  # type: ignore[arg-type]
        assert (stats["queued"], stats["running"], stats["done"], stats["cancelled"]) == (0, 0, 2, 1)

    serving(arguments(provider, tmp_path), names, Parts(), script)


def test_of_a_thousand_racing_requests_at_two_replicas_one_is_executed(
    provider: FakeServer, tmp_path: Path, names: str
) -> None:
    async def script(api: Api, keeper: KeeperClient, workers: Callable[[], Any]) -> None:
        executed, let = [], asyncio.Event()

        async def handle(call: Call) -> Answer:
            executed.append(call)
            await let.wait()
            return Answer(b"{}")

        claims = [
            ClaimsClient(KeeperClient(lambda: start_keeper(arguments(provider, tmp_path), names))) for _ in range(2)
        ]
        claims[0].start()
        handles = [idempotent(handle, one) for one in claims]
        call = Call("POST", "/v1/x", {}, None, {b"idempotency-key": b"k"}, b"{}", None, ME, "r")

        async def ask(number: int) -> str:
            try:
                return str((await handles[number % 2](call)).status)
            except Refusal as refusal:
                return refusal.code

        racing = [asyncio.create_task(ask(number)) for number in range(1_000)]
        while sum(task.done() for task in racing) < 999:
            await asyncio.sleep(0.02)
        let.set()
        answers = await asyncio.gather(*racing)
        assert (len(executed), answers.count("200"), answers.count("request_in_flight")) == (1, 1, 999)
        assert [await ask(number) for number in range(2)] == ["200", "200"]
        assert len(executed) == 1
        await claims[0].close()

    serving(arguments(provider, tmp_path), names, Parts(), script)


def order(arm: str, most_usd: str = "1", **more: Any) -> Order:
    body = TaskRequest.model_validate(request(**more))
    arms = ["p-100", "p-0", "p-100-judge"]
    return Order(request=body, arm=arm, arms=arms, decision_id="d", reason="router", most_usd=Decimal(most_usd))


def coordinated(provider: FakeServer, folder: Path, order: Order) -> tuple[TaskResult, list[tuple[str, int]]]:
    steps: list[tuple[str, int]] = []
    coordinator = TaskCoordinator(arguments(provider, folder).models, folder / "cache")
    return asyncio.run(coordinator.run("task_1", order, lambda step, n: steps.append((step, n)))), steps


def test_without_hidden_tests_gates_and_judge_give_the_verdict_and_findings_lead_to_another_round(
    provider: FakeServer, tmp_path: Path
) -> None:
    pipeline = {"mode": "judge", "judge": "p-100-judge", "rounds": 1, "accept_score": 0.0}
    result, steps = coordinated(provider, tmp_path, order("p-100", pipeline=pipeline))
    assert [step for step, _ in steps][:3] == ["proposing", "gates", "judging"]
    assert result.verdict.by == "gates and judge"
    assert result.verdict.passed is True and result.rounds[0].is_accepted
    assert {gate.gate: gate.status for gate in result.gates}["syntax"] == "passed"
    assert result.judgement is not None and result.judgement.model == "p-100-judge"
    assert {call.agent for call in result.calls} == {"proposer", "judge"}
    wrong, steps = coordinated(provider, tmp_path / "b", order("p-0", pipeline=pipeline))
    assert (len(wrong.rounds), wrong.diff, wrong.verdict.passed) == (2, "", None)
    assert wrong.rounds[0].problem and wrong.failure
    assert ("proposing", 1) in steps


def test_a_task_never_spends_more_than_was_set_aside(provider: FakeServer, tmp_path: Path) -> None:
    n_calls = len(provider.calls)
    result, _ = coordinated(provider, tmp_path, order("p-100", most_usd="0.0000001"))
    assert result.failure is not None and "budget" in result.failure
    assert (len(provider.calls), result.diff, result.verdict.by) == (n_calls, "", "nobody")


@pytest.mark.parametrize("path", ["../../etc/cron.d/krins", "/etc/cron.d/krins", "a/../../x.py", "..\\x.py"])
def test_a_patch_that_climbs_out_is_refused_and_nothing_is_written(tmp_path: Path, path: str) -> None:
    script = tmp_path / "script.yaml"
    answer = f"```diff\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x = 1\n```\n"
    script.write_text(yaml.safe_dump([{"match": "", "answer": answer}]))
    server = start_fake_provider(tmp_path, "--script", str(script))
    try:
        pipeline = {"mode": "judge", "rounds": 0}
        result, steps = coordinated(server, tmp_path, order("p-100", pipeline=pipeline))
    finally:
        server.stop()
    assert (result.diff, result.files, [step for step, _ in steps]) == ("", {}, ["proposing"])
    assert any(word in result.rounds[0].problem for word in ("leads out", "not relative", "backslash"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tree": {"../x.py": ""}}, "leads out"),
        ({"tree": {"/etc/passwd": ""}}, "not relative"),
        ({"tree": {"a/./b.py": ""}}, "leads out"),
        ({"tree": {"a\\b.py": ""}}, "backslash"),
        ({"tree": {"a\0.py": ""}}, "control characters"),
        ({"tree": {"C:x.py": ""}}, "colon"),
        ({"tree": {".git/config": ""}}, "git's own"),
        ({"tree": {"a": "", "a/b": ""}}, "both a file and a folder"),
        ({"tree": {"a.py": "", "A.py": ""}}, "one name"),
        ({"tree": {"a.py": "\0"}}, "NUL"),
        ({"tree": {"a.py": "x" * (2**22 + 1)}}, "bytes"),
        ({"tree": {f"{n}.py": "" for n in range(2_001)}}, "2000"),
        ({"answer_file": "../x.py"}, "leads out"),
        ({"visible_tests": ["absent.py"]}, "not in the tree"),
        ({"surprise": 1}, "surprise"),
        ({"prompt": ""}, "prompt"),
    ],
)
def test_what_is_no_bounded_tree_of_relative_paths_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TaskRequest.model_validate({**request(visible_tests=[]), **more})


def test_examples_are_what_the_models_say() -> None:
    TaskRequest.model_validate(EXAMPLE)
    TaskStatus.model_validate(STATUS)
    TaskResult.model_validate(RESULT)
