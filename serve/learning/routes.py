"""The learning API: decide, feed back, look, and steer.

Invariants: /v1/route asks nobody; feedback is durable when it is answered; who steered, and when, is in the journal.
Left out: proxying to models (`serve.gateway`), and the decisions themselves.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Protocol

import orjson

from krins.domain import Task
from krins.interfaces import Clock
from serve.interfaces import Decided, DecisionMade, Feedback, Learning, Meters, Turn
from serve.learning import models
from serve.web import Answer, Call, Handler, Route, Scope

_TAG = "learning"
_DECISION = "AQEBAAAAKgAAAAAAAAAAAAAg1C3aQWRiYmFhYWFhAQAAAAAAAAAAAOA_BQBzbWFsbA0AcXVpY2tzdGFydC80z1Vq2o1mZkQhYy0u0bUuGw"
_UNAVAILABLE = "The learner is out of reach, or its disk is full; send it again."
_STATE = {
    "router": "quickstart/4",
    "policy": "ExplorationFloor",
    "params": {"floor": 0.05},
    "arms": ["small", "large"],
    "epoch": 2,
    "version": 1234,
    "frozen": False,
    "began_at_seconds": 1790000000.0,
    "former": ["quickstart/3"],
    "registry": {"uri": "models:/quickstart@champion", "status": "ok", "left": None},
    "process": 4711,
    "journal": {"segment": 3, "is_writable": True, "fault": ""},
}
_RECEIPT = {"decision_id": _DECISION, "status": "applied", "reward": 1.0, "version": 1235}


class Telling(Protocol):
    """`serve.interfaces.Deciding`, with probabilities whatever they take."""

    def decide(self, task: Task, turn: Turn | None = None, *, tells: bool = False) -> Decided: ...


class LearningRoutes:
    """The handlers."""

    def __init__(self, deciding: Telling, learning: Learning, meters: Meters, clock: Clock) -> None:
        self._deciding, self._learning, self._meters, self._clock = deciding, learning, meters, clock

    async def route(self, call: Call) -> Answer:
        asked: models.RouteRequest = call.data
        task = Task("", asked.prompt, asked.category, None, asked.language, asked.repository)
        turn = _turn(asked, call.client.key_id)
        decided = self._deciding.decide(task, turn, tells=True)
        self._learning.note(
            DecisionMade(
                at_seconds=self._clock.now_seconds(),
                decision_id=decided.decision_id,
                request_id=call.request_id,
                key_id=call.client.key_id,
                arm=decided.arm,
                probability=decided.probability,
                reason=decided.reason,
                epoch=decided.epoch,
                version=decided.version,
                conversation=None if turn is None else turn.conversation,
                route="route",
            )
        )
        self._meters.decision(decided.arm, decided.reason)
        content = {
            "decision_id": decided.decision_id,
            "model": decided.arm,
            "propensity": decided.probability,
            "reason": decided.reason,
            "router": decided.router,
            "version": decided.version,
            "epoch": decided.epoch,
        }
        return Answer(orjson.dumps(content))

    async def feedback(self, call: Call) -> Answer:
        asked: models.FeedbackRequest = call.data
        receipts = await self._learning.feedback([_feedback(item, call.client.key_id) for item in asked.items])
        for receipt in receipts:
            self._meters.feedback(receipt.status)
        is_batch = isinstance(asked.root, models.FeedbackBatch)
        return Answer(orjson.dumps({"items": list(receipts)} if is_batch else receipts[0]))

    def question(self, what: str) -> Handler:
        """The learner's answer to a question, with the query as its arguments."""

        async def ask(call: Call) -> Answer:
            arguments: dict[str, Any] = {} if call.query is None else call.query.model_dump()
            return Answer.of(await self._learning.ask(what, arguments))

        return ask

    def order(self, what: str) -> Handler:
        """Something that an administrator has the learner do, once however often it is sent on the way."""

        async def ask(call: Call) -> Answer:
            arguments = {"who": call.client.key_id or "loopback", "token": secrets.token_hex(16)}
            return Answer.of(await self._learning.ask(what, arguments))

        return ask


def routes(deciding: Telling, learning: Learning, meters: Meters, clock: Clock) -> list[Route]:
    """The table of this part."""
    handlers = LearningRoutes(deciding, learning, meters, clock)
    return [*_using(handlers), *_looking(handlers), *_steering(handlers)]


def _using(handlers: LearningRoutes) -> list[Route]:
    return [
        Route(
            "POST",
            "/v1/route",
            handlers.route,
            Scope.INFER,
            "Decide which model a task goes to, and call none",
            _TAG,
            body=models.RouteRequest,
            answer=models.RouteAnswer,
            example={"prompt": "Add a flag --dry-run to the release script", "language": "python"},
            example_answer={
                "decision_id": _DECISION,
                "model": "small",
                "propensity": 0.5,
                "reason": "router",
                "router": "quickstart/4",
                "version": 1234,
                "epoch": 2,
            },
        ),
        Route(
            "POST",
            "/v1/feedback",
            handlers.feedback,
            Scope.FEEDBACK,
            "Tell how good the answer to a decision was",
            _TAG,
            body=models.FeedbackRequest,
            answer=models.FeedbackAnswer,
            refusals={
                400: "The decision id is none of this service's.",
                422: "The router's reward charges for cost or latency, and nobody knows it.",
                503: _UNAVAILABLE,
            },
            example={"decision_id": _DECISION, "passed": True},
            example_answer=_RECEIPT,
        ),
    ]


def _looking(handlers: LearningRoutes) -> list[Route]:
    def look(path: str, what: str, scope: Scope, summary: str, answer: type[Any], **more: Any) -> Route:
        refusals = {503: _UNAVAILABLE, **more.pop("refusals", {})}
        handle = handlers.question(what)
        return Route("GET", path, handle, scope, summary, _TAG, answer=answer, refusals=refusals, **more)

    refused = {422: "The log cannot speak for that router; the message says why."}
    state: dict[str, Any] = {"answer": models.StateAnswer, "example_answer": _STATE}
    return [
        look("/api/learning/state", "state", Scope.ANY, "What serves, and how learning is", **state),
        look("/api/router", "state", Scope.ANY, "What serves", **state),
        look(
            "/api/learning/arms", "arms", Scope.ANY, "Every model: share of traffic, outcomes, cost", models.ArmsAnswer
        ),
        look(
            "/api/learning/decisions",
            "decisions",
            Scope.ADMIN,
            "The latest thousand decisions",
            models.DecisionsAnswer,
            query=models.PageQuery,
        ),
        look(
            "/api/learning/outcomes",
            "outcomes",
            Scope.ADMIN,
            "The latest thousand outcomes",
            models.OutcomesAnswer,
            query=models.PageQuery,
        ),
        look(
            "/api/learning/report",
            "report",
            Scope.ADMIN,
            "What the router saved against always asking one model, by the service's own log",
            models.ReportAnswer,
            query=models.ReportQuery,
            refusals=refused,
        ),
        look(
            "/api/learning/what-if",
            "what_if",
            Scope.ADMIN,
            "What another router would have scored and cost on the traffic that was served",
            models.WhatIfAnswer,
            query=models.WhatIfQuery,
            refusals=refused,
        ),
    ]


def _steering(handlers: LearningRoutes) -> list[Route]:
    def steer(path: str, what: str, summary: str, refusals: dict[int, str]) -> Route:
        return Route(
            "POST",
            path,
            handlers.order(what),
            Scope.ADMIN,
            summary,
            _TAG,
            answer=models.StateAnswer,
            refusals={503: _UNAVAILABLE, **refusals},
            example_answer=_STATE,
        )

    return [
        steer("/api/learning/freeze", "freeze", "Keep outcomes, and learn from none until told otherwise", {}),
        steer("/api/learning/unfreeze", "unfreeze", "Learn again", {}),
        steer(
            "/api/learning/rollback",
            "rollback",
            "Go back to the router that served before, as it stood",
            {409: "No router served before this one."},
        ),
        steer(
            "/api/router/check",
            "check",
            "Ask the registry for a new champion now",
            {409: "It has arms that nobody knows how to ask."},
        ),
    ]


def _turn(asked: models.RouteRequest, key_id: str) -> Turn | None:
    if asked.conversation is None:
        return None
    tokens = len(asked.prompt.encode()) // 4 if asked.prompt_tokens is None else asked.prompt_tokens
    # A name of one key says nothing of another's.
    named = f"{key_id}\0{asked.conversation}".encode("utf-8", "surrogatepass")
    return Turn(hashlib.blake2b(named, digest_size=16).hexdigest(), False, tokens, asked.max_output_tokens)


def _feedback(item: models.FeedbackItem, key_id: str) -> Feedback:
    quality = float(item.passed) if isinstance(item, models.ByVerdict) else item.quality
    return Feedback(item.decision_id, quality, item.cost_usd, item.latency_seconds, key_id)
