"""Tasks end to end: real keeper and workers on Ray, a real sandbox, and a fake provider behind real SDKs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
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
from serve.home import NAMESPACE, absolute, actor_name, keep
from serve.interfaces import Answered, Decided, DecisionMade, Feedback, Receipt, Reservation, Turn
from serve.jobs.actor import start_keeper
from serve.jobs.client import ClaimsClient, KeeperClient
from serve.jobs.coordinator import TaskCoordinator
from serve.jobs.examples import RESULT, STATUS
from serve.jobs.idempotent import idempotent
from serve.jobs.job import JobRules
from serve.jobs.models import EXAMPLE, Order, TaskRequest, TaskResult, TaskStatus
from serve.jobs.routes import routes
from serve.jobs.tasks import Tasks
from serve.jobs.worker_actor import ensure_workers
from serve.learning.events import Changes, Cursor
from serve.learning.learner import Submitted
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
RULES = JobRules()


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
    reserved: list[tuple[str, Decimal]] = field(default_factory=list)
    settled: list[tuple[Decimal, Decimal | None]] = field(default_factory=list)
    has_room: bool = True

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

    async def reserve(self, client: Client, usd: Decimal) -> Reservation:
        if not self.has_room:
            raise Refusal(429, "budget_exhausted", "there is no room")
        self.reserved.append((client.key_id, usd))
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


class Notebook:
    """In the place of the learner: writes down what it is told."""

    def __init__(self) -> None:
        self.notes: list[DecisionMade | Answered] = []
        self.outcomes: list[Feedback] = []

    async def submit(
        self, calls: Sequence[Sequence[Feedback]], notes: Sequence[DecisionMade | Answered], cursor: None
    ) -> Submitted:
        self.notes += notes
        self.outcomes += [item for call in calls for item in call]
        receipts = [[Receipt(item.decision_id, "applied", item.quality, 1) for item in call] for call in calls]
        return Submitted(receipts, Changes(Cursor("notebook", 0), None, ()))

    async def told(self) -> tuple[list[DecisionMade | Answered], list[Feedback]]:
        return self.notes, self.outcomes


@pytest.fixture
def notebook(ray_cluster: None, tmp_path: Path) -> Iterator[Any]:
    """The learner of this test's home, all actors of which end with the test."""
    import ray

    names = [actor_name(part, tmp_path) for part in ("learner", "keeper", "worker-0")]
    actor_class: Any = ray.remote(Notebook)
    yield actor_class.options(name=names[0], namespace=NAMESPACE, num_cpus=0).remote()
    for name in names:
        with suppress(ValueError):  # it was not needed
            ray.kill(ray.get_actor(name, NAMESPACE))


def serving(
    args: ServiceArgs,
    parts: Parts,
    script: Callable[[Api, KeeperClient, Callable[[], Any]], Awaitable[None]],
    rules: JobRules = RULES,
) -> None:
    async def serve() -> None:
        keeper = KeeperClient(lambda: start_keeper(args, rules))
        specs = resolve_all(args.models, {})

        def workers() -> Any:
            return ensure_workers(args)

        tasks = Tasks(keeper, parts, parts, parts, Silent(), specs, workers, SystemClock())
        await script(Api(routes(tasks, keeper)), keeper, workers)
        await tasks.close()

    asyncio.run(serve())


def test_proposed_done_followed_replayed_and_accounted(provider: FakeServer, tmp_path: Path, notebook: Any) -> None:
    import ray

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

    serving(arguments(provider, tmp_path), parts, script)
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
    [made] = parts.notes
    assert isinstance(made, DecisionMade) and (made.route, made.arm) == ("task", "p-100")
    # By the worker, since the replica may be dead by then.
    [answered], [outcome] = ray.get(notebook.told.remote())
    assert (answered.key_id, answered.cost_usd, answered.error) == ("me", cost, None)
    assert (outcome.decision_id, outcome.quality, outcome.cost_usd) == ("d-1", 1.0, cost)
    assert result.feedback == "applied"


def test_a_dead_task_that_is_tried_again_is_charged_again(provider: FakeServer, tmp_path: Path, notebook: Any) -> None:
    """Whichever replica is asked, whoever asks, and to the key that submitted it."""
    args = arguments(provider, tmp_path).model_copy(update={"job_workers": 0})
    former, parts = Parts(), Parts()

    async def submitted(api: Api, keeper: KeeperClient, workers: Callable[[], Any]) -> None:
        for name in ("a", "b"):
            await api("POST", "/api/tasks", request(category=name))
            job = await keeper.call("jobs", "take")
            await keeper.call("jobs", "fail", job.job_id, job.attempt, "broken", False)
        while len(former.settled) < 2:
            await asyncio.sleep(0.01)

    async def retried(api: Api, keeper: KeeperClient, workers: Callable[[], Any]) -> None:
        first, second = [job.job_id for job in reversed(await keeper.call("jobs", "dead_letters", None, 10))]
        parts.has_room = False
        for path, body in (("/api/tasks/{task_id}/retry", None), ("/api/tasks/dead-letters/requeue", {})):
            with pytest.raises(Refusal, match="no room"):
                await api("POST", path, body, ADMIN, task_id=first)
        parts.has_room = True
        await api("POST", "/api/tasks/{task_id}/retry", task_id=first)
        requeued = await api("POST", "/api/tasks/dead-letters/requeue", {}, ADMIN)
        assert orjson.loads(requeued.body) == {"task_ids": [second]}  # type: ignore[arg-type]
        assert [key for key, _ in parts.reserved] == ["me", "me"]
        for job_id in (first, second):
            job = await keeper.call("jobs", "take")
            assert job.job_id == job_id
            result = TaskResult.model_validate(RESULT).model_dump_json()
            await keeper.call("jobs", "finish", job.job_id, job.attempt, result)
        while len(parts.settled) < 2:
            await asyncio.sleep(0.01)

    serving(args, former, submitted)
    serving(args, parts, retried)
    worst = [usd for _, usd in former.reserved]
    assert former.settled == [(usd, None) for usd in worst], "what dead attempts cost is unknown"
    assert parts.reserved == former.reserved
    assert parts.settled == [(usd, TaskResult.model_validate(RESULT).cost_usd) for usd in worst]


def test_a_worker_goes_by_the_arguments_of_the_replica_that_started_last(
    provider: FakeServer, tmp_path: Path, notebook: Any
) -> None:
    """It began when models were elsewhere; its home says where they are now, and then that none is wanted."""
    now = absolute(arguments(provider, tmp_path))
    lost = [model.model_copy(update={"base_url": "http://127.0.0.1:9"}) for model in now.models]

    async def script(api: Api, keeper: KeeperClient, workers: Callable[[], Any]) -> None:
        workers()
        keep(now)
        answer = await api("POST", "/api/agents/propose", request(model="krins/p-100"))
        assert answer.status == 200
        assert not TaskResult.model_validate_json(answer.body).failure  # type: ignore[arg-type]
        keep(now.model_copy(update={"job_workers": 0}))
        # It looks again once a job has come or it has waited for one long enough.
        await keeper.call("jobs", "submit", "task_none", "{}", "0" * 64, "payload none", "me")
        name = actor_name("worker-0", tmp_path)
        import ray

        while name in {actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)}:
            await asyncio.sleep(0.05)

    serving(now.model_copy(update={"models": lost}), Parts(), script)


def test_a_worker_that_is_killed_loses_its_lease_and_the_task_is_done_by_its_successor(
    provider: FakeServer, tmp_path: Path, notebook: Any
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
        ray.kill(ray.get_actor(actor_name("keeper", tmp_path), NAMESPACE), no_restart=False)
        for task_id in (first, others[0]):
            job = None
            while job is None:
                job = await keeper.until(5.0, "jobs", "ended", task_id)
            assert (job.state, job.result is not None) == ("done", True)
            result = TaskResult.model_validate_json(job.result)
            assert (result.verdict.by, result.verdict.passed, result.decision_id) == ("nobody", None, "")
        stats = orjson.loads((await api("GET", "/api/tasks/queue/stats")).body)  # type: ignore[arg-type]
        assert (stats["queued"], stats["running"], stats["done"], stats["cancelled"]) == (0, 0, 2, 1)

    serving(arguments(provider, tmp_path), Parts(), script, JobRules(lease_seconds=5.0))


def test_of_a_thousand_racing_requests_at_two_replicas_one_is_executed(
    provider: FakeServer, tmp_path: Path, notebook: Any
) -> None:
    async def script(api: Api, keeper: KeeperClient, workers: Callable[[], Any]) -> None:
        executed, let = [], asyncio.Event()

        async def handle(call: Call) -> Answer:
            executed.append(call)
            await let.wait()
            return Answer(b"{}")

        claims = [ClaimsClient(KeeperClient(lambda: start_keeper(arguments(provider, tmp_path)))) for _ in range(2)]
        for one in claims:
            one.start()
        handles = [idempotent(handle, one) for one in claims]
        call = Call("POST", "/v1/x", {}, None, {b"idempotency-key": b"k"}, b"{}", None, ME, "r")

        async def ask(number: int) -> str:
            while True:
                try:
                    return str((await handles[number % 2](call)).status)
                except Refusal as refusal:
                    if refusal.status != 503:  # which says to send it again, as a keeper that is busy does
                        return refusal.code

        racing = [asyncio.create_task(ask(number)) for number in range(1_000)]
        async with asyncio.timeout(200):
            while sum(task.done() for task in racing) < 999:
                await asyncio.sleep(0.02)
        let.set()
        answers = await asyncio.gather(*racing)
        assert (len(executed), answers.count("200"), answers.count("request_in_flight")) == (1, 1, 999)
        assert [await ask(number) for number in range(2)] == ["200", "200"]
        assert len(executed) == 1
        for one in claims:
            await one.close()

    serving(arguments(provider, tmp_path), Parts(), script)


def order(arm: str, most_usd: str = "1", **more: Any) -> Order:
    body = TaskRequest.model_validate(request(**more))
    arms = ["p-100", "p-0", "p-100-judge"]
    return Order(request=body, arm=arm, arms=arms, decision_id="d", reason="router", most_usd=Decimal(most_usd))


def coordinated(provider: FakeServer, folder: Path, order: Order) -> tuple[TaskResult, list[tuple[str, int]]]:
    steps: list[tuple[str, int]] = []
    coordinator = TaskCoordinator(lambda: arguments(provider, folder).models, folder / "cache")
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
        ({"pipeline": {"accept_score": False}}, "accept_score"),
        ({"pipeline": {"rounds": "1"}}, "rounds"),
    ],
)
def test_what_is_no_bounded_tree_of_relative_paths_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        TaskRequest.model_validate({**request(visible_tests=[]), **more})


def test_examples_are_what_the_models_say() -> None:
    TaskRequest.model_validate(EXAMPLE)
    TaskStatus.model_validate(STATUS)
    TaskResult.model_validate(RESULT)
