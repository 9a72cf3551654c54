"""The answer cache: what was answered once costs nothing again, and no damage ever becomes a wrong answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.clock import FakeClock
from krins.domain import Attempt, Call, Message, Request, Scope, Usage
from krins.errors import ModelFault, Overloaded, Refused
from krins.interfaces import OnText
from krins.models.cache import AnswerStore, Cached
from krins.models.cache.fingerprint import fingerprint
from krins.models.cache.kept import Kept
from krins.models.cache.meaning import same_meaning
from krins.models.spec import ModelSpec
from krins.suite import AnswerCache, LiveModel

SPEC = ModelSpec(
    LiveModel(name="m", temperature=0.5), "openai-chat", "m", "http://127.0.0.1:9/v1", None, None, 64, None
)
HELLO = Request.of("Hello")
PAID = Call("m", "openai-chat", 5.0, 1.0, Usage(3, 4), Decimal("0.0123"), Decimal("0.0123"), billed_tokens=7)


class Model:
    """Answers with its count, or fails."""

    def __init__(self, fault: Callable[[], ModelFault] | None = None, pause: bool = False) -> None:
        self.fault, self.pause, self.n_asked = fault, pause, 0

    async def answer(self, request: Request, scope: Scope = Scope(), on_text: OnText | None = None) -> Attempt:
        self.n_asked += 1
        if self.pause:
            await asyncio.sleep(0)
        if self.fault is not None:
            fault = self.fault()
            fault.calls = (PAID,)
            raise fault
        return Attempt(f"answer {self.n_asked}", Usage(3, 4), 1.5, "m", "openai-chat", "stop", "r", (PAID,))


class Bench:
    def __init__(self, folder: Path, model: Model, **settings: object) -> None:
        self.clock, self.model = FakeClock(1000.0), model
        self.store = AnswerStore(folder, AnswerCache.model_validate(settings))
        self.cached = Cached(model, self.store, SPEC, self.clock)

    def ask(self, *requests: Request) -> list[Attempt]:
        async def all_of_them() -> list[Attempt]:
            return [await self.cached.answer(request) for request in requests]

        return asyncio.run(all_of_them())


def test_a_second_time_costs_nothing_and_tells_what_it_would_have_cost(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Model())
    first, again = bench.ask(HELLO, HELLO)
    bench.store.close()
    assert (first.is_cached, again.is_cached, again.text, bench.model.n_asked) == (False, True, "answer 1", 1)
    assert again.latency_seconds == first.latency_seconds
    [call] = again.calls
    assert call == replace(PAID, billed_usd=Decimal(0), billed_tokens=0, is_cached=True)
    later = Bench(tmp_path, Model())  # as another process would
    assert later.ask(HELLO)[0].text == "answer 1"
    later.store.close()


def test_another_sample_is_another_question(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Model())
    assert [a.text for a in bench.ask(HELLO, Request.of("Hello", sample=1))] == ["answer 1", "answer 2"]
    bench.store.close()


@pytest.mark.parametrize(("fault", "n_asked"), [(Refused, 1), (Overloaded, 2)])
def test_a_refusal_is_an_answer_and_a_broken_server_is_not(
    tmp_path: Path, fault: type[ModelFault], n_asked: int
) -> None:
    bench = Bench(tmp_path, Model(lambda: fault("no")))
    for _ in range(2):
        with pytest.raises(fault) as caught:
            bench.ask(HELLO)
    bench.store.close()
    assert bench.model.n_asked == n_asked
    assert caught.value.calls[0].billed_usd == (0 if n_asked == 1 else PAID.billed_usd)


def test_the_same_question_in_flight_is_asked_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Model(pause=True))

    async def at_once() -> list[Attempt]:
        return await asyncio.gather(*(bench.cached.answer(HELLO) for _ in range(5)))

    texts = [attempt.text for attempt in asyncio.run(at_once())]
    bench.store.close()
    assert (texts, bench.model.n_asked) == (["answer 1"] * 5, 1)


def test_an_answer_grows_old_where_the_suite_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Model(), ttl_days=1)
    bench.ask(HELLO)
    bench.clock.advance(86_399)
    assert bench.ask(HELLO)[0].is_cached
    bench.clock.advance(2)
    assert not bench.ask(HELLO)[0].is_cached
    bench.store.close()


def test_a_damaged_file_is_set_aside_and_never_believed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Model())
    bench.ask(*(Request.of(f"Question {i}") for i in range(20)))
    bench.store.close()
    [file] = [path for path in tmp_path.iterdir() if path.stat().st_size > 4096 and "-" not in path.suffix]
    content = bytearray(file.read_bytes())
    for at in range(len(content) // 2, len(content), 7):
        content[at] ^= 0x10
    file.write_bytes(bytes(content))
    again = Bench(tmp_path, Model())
    answers = again.ask(*(Request.of(f"Question {i}") for i in range(20)))
    again.store.close()
    for i, answer in enumerate(answers):
        assert not answer.is_cached or answer.text == f"answer {i + 1}"


def test_a_folder_that_cannot_be_written_costs_the_cache_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    bench = Bench(tmp_path / "file", Model())
    assert [a.text for a in bench.ask(HELLO, HELLO)] == ["answer 1", "answer 2"]
    bench.store.close()


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Model(), max_mib=1)
    text = "x" * 100_000
    for i in range(30):
        bench.clock.advance(100)
        bench.ask(Request.of(f"{i} {text}"), Request.of("0 kept in use"))
    stats = bench.store.stats()
    assert bench.ask(Request.of("0 kept in use"))[0].is_cached
    bench.store.close()
    assert stats.stored_bytes <= 2**20


def test_a_fingerprint_is_the_same_for_ever() -> None:
    """A golden value: if it changes, answers of all users are lost, so FORMAT must go up on purpose."""
    assert fingerprint(HELLO, SPEC) == "85971f2368c75d2254dc2e848c63552e6068c576e5735de64dcfc4631af89224"
    assert fingerprint(HELLO, SPEC) == fingerprint(Request((Message("user", "Hello"),)), SPEC)
    others = [
        fingerprint(Request.of("Hello "), SPEC),
        fingerprint(Request.of("hello"), SPEC),
        fingerprint(Request.of("Hello", sample=1), SPEC),
        fingerprint(replace(HELLO, system="s"), SPEC),
        fingerprint(replace(HELLO, choices=("yes", "no")), SPEC),
        fingerprint(replace(HELLO, choices=("no", "yes")), SPEC),
        fingerprint(HELLO, replace(SPEC, model="n")),
        fingerprint(HELLO, replace(SPEC, base_url=None)),
        fingerprint(HELLO, replace(SPEC, max_output_tokens=65)),
        fingerprint(HELLO, replace(SPEC, provider="openai")),
    ]
    assert len({fingerprint(HELLO, SPEC), *others}) == len(others) + 1


def test_how_probable_the_choices_were_is_kept_to_the_last_digit() -> None:
    attempt = Attempt(
        "yes", Usage(3, 4), 1.5, "m", choice_probabilities={"yes": 0.1 + 0.2, "no": 0.7}, choice_mass=1 / 3
    )
    assert Kept.from_json(Kept(attempt).to_json()).answer == attempt


def test_an_answer_that_was_kept_before_there_were_choices_is_still_one() -> None:
    content = json.loads(Kept(Attempt("yes", None, 1.5, "m")).to_json())
    del content["answer"]["choice_probabilities"], content["answer"]["choice_mass"]
    assert Kept.from_json(json.dumps(content).encode()).answer == Attempt("yes", None, 1.5, "m")


@given(st.text(), st.text())
def test_other_prompts_have_other_fingerprints(a: str, b: str) -> None:
    assert (fingerprint(Request.of(a), SPEC) == fingerprint(Request.of(b), SPEC)) == (a == b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Add retry to the client", "Remove retry to the client"),
        ("Move A to B", "Move B to A"),
        ("Do use globals", "Do not use globals"),
        ("Sort before saving", "Sort after saving"),
        ("Return 3 rows", "Return 4 rows"),
        ("Rename List here", "Rename list here"),
        ("Write f(x, y)", "Write f(y, x)"),
        ("Run:\n```\nif a:\n  b\n```", "Run:\n```\nif a:\n    b\n```"),
        ("x = 'please'", "x = ''"),
        ("All tests", "Tests"),
        ("Do not stop. Retry it", "Do not stop retry it"),
        ("Print hello twice here", "Print twice here"),
        ("Retry this call?", "Retry this call."),
        ("List is unknown here", "list is unknown here"),
        ("Replace two  spaces here", "Replace two spaces here"),
        ("Keep these\napart now", "Keep these apart now"),
        ("Print this:\n\nThank you!", "Print this:"),
        ("Hello, world", "world"),
        ("Please Please Me album", "Me album"),
    ],
)
def test_prompts_that_ask_for_something_else_are_never_taken_for_each_other(a: str, b: str) -> None:
    assert not same_meaning(a, b, 0.01)
    assert not same_meaning(b, a, 0.01)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Please add retry to the client.", "add retry to the client."),
        ("add retry to the client.", "Hello, add retry to the client.\n"),
    ],
)
def test_politeness_before_and_space_after_may_differ(a: str, b: str) -> None:
    assert same_meaning(a, b, 0.5)


def test_under_a_system_prompt_politeness_may_be_what_is_to_be_worked_on(tmp_path: Path) -> None:
    on = Bench(tmp_path, Model(), semantic_similarity=0.5)
    asked = [replace(Request.of(text), system="Translate.") for text in ("Please wait here now", "wait here now")]
    assert [a.is_cached for a in on.ask(*asked)] == [False, False]
    on.store.close()


def test_the_semantic_layer_is_off_unless_asked_for(tmp_path: Path) -> None:
    polite, short = Request.of("Please add retry to the client"), Request.of("add retry to the client")
    off, on = Bench(tmp_path / "off", Model()), Bench(tmp_path / "on", Model(), semantic_similarity=0.5)
    assert [a.is_cached for a in off.ask(polite, short)] == [False, False]
    assert [a.is_cached for a in on.ask(polite, short, Request.of("remove retry to the client"))] == [
        False,
        True,
        False,
    ]
    off.store.close()
    on.store.close()
