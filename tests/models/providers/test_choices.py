"""Answers of one word out of a few: what is asked for, how it is read, and how probable each word was."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.domain import Message, Request
from krins.errors import BadRequest, EmptyAnswer, ModelFault, Refused
from krins.fake_provider.answers import Answer, Answers, Question
from krins.interfaces import OnText, Reply
from krins.models.providers.choices import (
    Alternative,
    Unweighed,
    chosen,
    grammar,
    messages_of,
    output_limit,
    weigh,
)
from krins.models.spec import ProviderName
from krins.models.worst_case import most_input_tokens, worst_case
from tests.models.providers.servers import ask, canned, ignore, run, spec
from tests.models.providers.test_replies import whole
from tests.support.fake_provider import running, saying
from tests.support.fault_matrix import PROVIDERS, spec_for

YES_NO = ("yes", "no")
QUESTION = Request((Message("user", "Is it right?"),), choices=YES_NO)
WEIGHED: tuple[ProviderName, ...] = ("openai", "openai-chat", "google")


def tokens(**probabilities: float) -> list[Alternative]:
    """The alternatives to one token, the first of which came; _ in a name is a space."""
    return [Alternative(token.replace("_", " "), math.log(p)) for token, p in probabilities.items()]


def test_case_spaces_and_beginnings_of_a_word_add_up() -> None:
    first = tokens(Yes=0.5, _yes=0.1, YES=0.05, y=0.05, No=0.2, The=0.1)
    weights = weigh([first, tokens(no=1.0)], YES_NO)
    assert weights is not None and weights.probabilities is not None
    assert weights.probabilities == pytest.approx({"yes": 7 / 9, "no": 2 / 9})
    assert weights.mass == pytest.approx(0.9)


def test_the_token_that_came_counts_once_wherever_it_stands() -> None:
    """A grammar made "no" come, which was not among the two most probable ones."""
    weights = weigh([[Alternative("no", math.log(0.05)), *tokens(Yes=0.6, Sure=0.3)]], YES_NO)
    assert weights is not None and weights.probabilities is not None
    assert weights.probabilities == pytest.approx({"yes": 0.6 / 0.65, "no": 0.05 / 0.65})
    again = weigh([[*tokens(Yes=0.6), *tokens(Yes=0.6, No=0.4)]], YES_NO)
    assert again is not None and again.probabilities == pytest.approx({"yes": 0.6, "no": 0.4})


def test_the_first_token_that_says_something_is_weighed() -> None:
    blank, quote = [Alternative("\n", 0.0), *tokens(no=0.9)], [Alternative('"', 0.0)]
    weights = weigh([blank, quote, tokens(yes=0.25, no=0.75)], YES_NO)
    assert weights is not None and weights.probabilities == pytest.approx({"yes": 0.25, "no": 0.75})


@pytest.mark.parametrize(
    ("choices", "given_", "expected", "mass"),
    [
        (("pass", "partly"), {"pa": 0.5, "pas": 0.2, "part": 0.2}, {"pass": 0.5, "partly": 0.5}, 0.4),
        (("no", "not_yet"), {"no": 0.4, "not": 0.1}, {"no": 0.8, "not_yet": 0.2}, 0.5),
        (YES_NO, {"yesterday": 0.5, "yes": 0.5}, {"yes": 1.0, "no": 0.0}, 0.5),
    ],
)
def test_a_beginning_counts_only_where_it_is_that_of_one_choice(
    choices: tuple[str, ...], given_: Mapping[str, float], expected: Mapping[str, float], mass: float
) -> None:
    weights = weigh([tokens(**given_)], choices)
    assert weights is not None and weights.probabilities == pytest.approx(expected)
    assert weights.mass == pytest.approx(mass)


def test_without_log_probabilities_nothing_is_known_and_that_is_not_nothing_said() -> None:
    assert weigh([], YES_NO) is None
    assert weigh([[Alternative("yes", None)], []], YES_NO) is None
    assert weigh([[Alternative("yes", math.nan)]], YES_NO) is None
    assert weigh([tokens(The=0.9, I=0.1)], YES_NO) == (None, 0.0)
    unlikely = weigh([[Alternative("yes", -9999.0), *tokens(The=0.5, no=0.1)]], YES_NO)
    assert unlikely is not None and unlikely.probabilities == {"yes": 0.0, "no": 1.0}


@given(
    st.lists(
        st.tuples(st.sampled_from(["yes", " Yes", "no", "NO.", "n", "The", "", '"', "yes!"]), st.floats(-30, 0.1)),
        min_size=1,
        unique_by=lambda alternative: alternative[0],
    ),
    st.randoms(use_true_random=False),
)
def test_weights_are_probabilities_whatever_order_the_alternatives_come_in(
    drawn: list[tuple[str, float]], random: Any
) -> None:
    came, *others = [Alternative(*alternative) for alternative in drawn]
    weights = weigh([[came, *others]], YES_NO)
    random.shuffle(others)
    shuffled = weigh([[came, *others]], YES_NO)
    if weights is None:
        assert shuffled is None
        return
    assert shuffled is not None
    assert shuffled.mass == pytest.approx(weights.mass)
    assert 0.0 <= weights.mass <= 1.0
    assert (weights.probabilities is None) == (weights.mass == 0.0)
    if weights.probabilities is not None:
        assert shuffled.probabilities == pytest.approx(weights.probabilities)
        assert sum(weights.probabilities.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("yes", "yes"),
        (" Yes.\n", "yes"),
        ("**NO**", "no"),
        ('"no"', "no"),
        ("yes, but no", None),
        ("y", None),
        ("", None),
    ],
)
def test_a_text_is_a_choice_only_where_it_says_nothing_else(text: str, choice: str | None) -> None:
    assert chosen(text, YES_NO) == choice


def test_the_grammar_allows_each_word_in_the_case_that_a_model_prefers() -> None:
    assert grammar(YES_NO) == 'root ::= "yes" | "Yes" | "YES" | "no" | "No" | "NO"'
    assert grammar(('say "a"',)).startswith('root ::= "say \\"a\\"" | ')


def test_only_a_model_that_reasons_may_say_more_than_a_word() -> None:
    quick = replace(spec_for("openai-chat", "m", "http://127.0.0.1:9/v1"), reasons=False)
    assert output_limit(QUESTION, quick) == 16 + len("yes")
    assert output_limit(Request.of("Hi"), quick) == output_limit(QUESTION, replace(quick, reasons=True)) == 256
    assert output_limit(QUESTION, replace(quick, max_output_tokens=4)) == 4


def test_the_worst_case_is_that_of_what_is_sent() -> None:
    quick = replace(spec_for("openai-chat", "m", "http://127.0.0.1:9/v1"), reasons=False)
    plain = replace(QUESTION, choices=())
    asked = len(messages_of(QUESTION)[0].text) - len(QUESTION.messages[0].text)
    assert most_input_tokens(QUESTION) - most_input_tokens(plain) == asked > 0
    assert worst_case(QUESTION, quick, 0.0).tokens == most_input_tokens(QUESTION) + 19


@pytest.mark.parametrize("provider", PROVIDERS)
def test_one_word_is_asked_for_as_each_api_can(provider: ProviderName) -> None:
    async def play() -> dict[str, Any]:
        async with canned(b"{}") as server:
            with pytest.raises(ModelFault):
                await ask(replace(spec(provider, server.url), reasons=False), replace(QUESTION, system="Be fair."))
        return server.requests[0]

    asked, told = run(play()), f"{QUESTION.messages[0].text}\n\nAnswer with one word and nothing else: yes or no."
    match provider:
        case "anthropic":
            assert (asked["system"], asked["messages"][0]["content"], asked["max_tokens"]) == ("Be fair.", told, 19)
        case "openai":
            assert (asked["instructions"], asked["max_output_tokens"]) == ("Be fair.", 19)
            assert asked["input"][0]["content"] == told
            assert (asked["include"], asked["top_logprobs"]) == (["message.output_text.logprobs"], 20)
        case "openai-chat":
            assert [message["content"] for message in asked["messages"]] == ["Be fair.", told]
            assert asked["max_tokens"] == 19
            assert (asked["logprobs"], asked["top_logprobs"], asked["grammar"]) == (True, 20, grammar(YES_NO))
        case "google":
            config = asked["generationConfig"]
            assert asked["systemInstruction"]["parts"][0]["text"] == "Be fair."
            assert asked["contents"][0]["parts"][0]["text"] == told
            assert (config["responseLogprobs"], config["logprobs"], config["maxOutputTokens"]) == (True, 20, 19)
            assert config["responseMimeType"] == "text/x.enum"
            assert config["responseSchema"]["enum"] == ["yes", "no"]


class Sure(Answers):
    """Says `text`, at these probabilities of the first token."""

    def __init__(self, text: str, **probabilities: float) -> None:
        self._answer = Answer(text, probabilities=probabilities)

    def answer(self, question: Question) -> Answer:
        return self._answer


async def answer_of(provider: ProviderName, answers: Answers, on_text: OnText | None = None, *rules: str) -> Reply:
    async with running(*rules, answers=answers) as server:
        return await ask(spec(provider, server.url), QUESTION, on_text)


@pytest.mark.parametrize("provider", WEIGHED)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_probabilities_arrive_from_every_api_that_has_them(provider: ProviderName, is_streamed: bool) -> None:
    answers = Sure("yes", Yes=0.5, yes=0.1, no=0.2, The=0.2)
    reply = run(answer_of(provider, answers, ignore if is_streamed else None))
    assert reply.text == "yes"
    assert reply.choice_probabilities == pytest.approx({"yes": 0.75, "no": 0.25})
    assert reply.choice_mass == pytest.approx(0.8)


@pytest.mark.parametrize("provider", WEIGHED)
def test_choices_that_are_not_among_the_alternatives_have_no_probabilities(provider: ProviderName) -> None:
    reply = run(answer_of(provider, Sure("yes", The=0.7, I=0.3)))
    assert (reply.choice_probabilities, reply.choice_mass) == (None, 0.0)


def test_anthropic_gives_a_word_without_probabilities() -> None:
    reply = run(answer_of("anthropic", saying("Yes.")))
    assert (reply.text, reply.choice_probabilities, reply.choice_mass) == ("Yes.", None, None)


@pytest.mark.parametrize("provider", ["openai-chat", "google"])
def test_a_fake_model_that_must_say_a_word_says_one_and_how_sure_it_is(provider: ProviderName) -> None:
    first, again = (run(answer_of(provider, saying("Well, it depends"))) for _ in range(2))
    assert first[:1] + first[4:] == again[:1] + again[4:]
    assert first.choice_probabilities is not None and first.choice_mass is not None
    choice = chosen(first.text, YES_NO)
    assert choice is not None and first.choice_probabilities[choice] > 0.5
    assert 0.9 < first.choice_mass < 1.0


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("fault", "kind"), [("refusal", Refused), ("empty_answer", EmptyAnswer)])
def test_faults_are_those_of_any_other_request(provider: ProviderName, fault: str, kind: type[ModelFault]) -> None:
    with pytest.raises(kind):
        run(answer_of(provider, saying("yes"), None, f"{fault}=1"))


@pytest.mark.parametrize("provider", WEIGHED)
def test_a_reply_without_log_probabilities_is_an_answer_all_the_same(provider: ProviderName) -> None:
    async def play() -> Reply:
        async with canned(json.dumps(whole(provider).reply).encode()) as server:
            return await ask(spec(provider, server.url), QUESTION)

    assert run(play())[4:] == (None, None)


class Reluctant:
    """A provider whose API refuses what `words` say as long as it is asked for log-probabilities."""

    def __init__(self, words: str) -> None:
        self.weighs, self._words = True, words
        self.asked: list[bool] = []

    async def reply(self, request: Request, on_text: OnText | None = None) -> Reply:
        self.asked.append(self.weighs)
        if self.weighs:
            raise BadRequest(self._words)
        return Reply("yes", None, "stop", None)

    async def check(self) -> None: ...

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    "words",
    [
        "Logprobs is not enabled for models/gemini-x",
        "Unsupported parameter: 'top_logprobs' is not supported with this model.",
        "unknown field `grammar`",
    ],
)
def test_an_api_that_refuses_log_probabilities_is_asked_without_from_then_on(words: str) -> None:
    inner = Reluctant(words)
    assert [run(Unweighed(inner).reply(QUESTION)).text for _ in range(2)] == ["yes", "yes"]
    assert inner.asked == [True, False, False]


@pytest.mark.parametrize(
    ("request_", "words"), [(QUESTION, "messages: too many"), (Request.of("Hi"), "Logprobs is not enabled")]
)
def test_any_other_refusal_is_passed_on(request_: Request, words: str) -> None:
    inner = Reluctant(words)
    with pytest.raises(BadRequest):
        run(Unweighed(inner).reply(request_))
    assert inner.asked == [True]
