"""Log-probabilities of the fake: what a script says or what is drawn, as the official SDKs read it."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

from krins.errors import UserError
from krins.fake_provider.answers import load_script
from krins.fake_provider.sampling import sampled
from krins.fake_provider.wire import Ask, Token
from tests.fake_provider.test_sdks import sdks
from tests.support.fake_provider import running

SCRIPT = """
- {match: right, answer: "yes indeed", probabilities: {"Yes": 0.5, "yes": 0.25, "no": 0.125, The: 0.125}}
- {match: sure, answer: "no", probabilities: {The: 1.0, nothing: 0.0}}
"""
Told = list[tuple[str, float, list[tuple[str, float]]]]


def ask(n_alternatives: int = 20, **changes: Any) -> Ask:
    return Ask("openai-chat", "m", "What?", 5, 9, False, words=("yes", "no"), n_alternatives=n_alternatives, **changes)


def test_what_is_scripted_is_told_most_probable_first_and_no_more_than_was_asked_for() -> None:
    first, second = sampled(ask(2), "yes indeed", {"no": 0.25, "yes": 0.5, "The": 0.125})
    assert first == Token("yes", math.log(0.5), (("yes", math.log(0.5)), ("no", math.log(0.25))))
    assert second == Token(" indeed", 0.0, ((" indeed", 0.0),))


def test_a_token_that_a_script_gives_no_probability_is_told_as_openai_tells_it() -> None:
    [token] = sampled(ask(), "yes", {"The": 1.0})
    assert token == Token("yes", -9999.0, (("The", 0.0),))


def test_what_is_drawn_is_the_same_again_and_adds_up_to_one() -> None:
    [token] = sampled(ask(), "yes", None)
    assert [token] == list(sampled(ask(), "yes", None))
    assert token != sampled(ask(seed=1), "yes", None)[0]
    assert math.fsum(math.exp(logprob) for _, logprob in token.alternatives) == pytest.approx(1.0)
    assert token.alternatives[0] == ("yes", token.logprob)
    assert {"yes", "no"} <= dict(token.alternatives).keys()


def test_a_token_that_yaml_takes_for_a_truth_value_is_refused_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_text("- {match: right, answer: a, probabilities: {yes: 0.5}}", encoding="utf-8")
    with pytest.raises(UserError, match="quote yes and no"):
        load_script(file)


def test_nothing_is_told_of_no_text_and_only_the_beginning_of_a_long_one() -> None:
    assert sampled(ask(), "", None) == ()
    assert len(sampled(ask(), "word " * 10_000, None)) == 256


async def of_chat(clients: Any, prompt: str, is_streamed: bool) -> Told:
    more: dict[str, Any] = {"stream": True} if is_streamed else {}
    completion = await clients.openai.chat.completions.create(
        model="m", messages=[{"role": "user", "content": prompt}], logprobs=True, top_logprobs=3, **more
    )
    chunks = [chunk async for chunk in completion] if is_streamed else [completion]
    told = [chunk.choices[0].logprobs for chunk in chunks if chunk.choices]
    return [
        (token.token, token.logprob, [(each.token, each.logprob) for each in token.top_logprobs])
        for logprobs in told
        if logprobs is not None
        for token in logprobs.content
    ]


async def of_responses(clients: Any, prompt: str, is_streamed: bool) -> Told:
    more: dict[str, Any] = {"include": ["message.output_text.logprobs"], "top_logprobs": 3}
    if is_streamed:
        async with clients.openai.responses.stream(model="m", input=prompt, **more) as stream:
            response = await stream.get_final_response()
    else:
        response = await clients.openai.responses.create(model="m", input=prompt, **more)
    [message] = [item for item in response.output if item.type == "message"]
    return [
        (token.token, token.logprob, [(each.token, each.logprob) for each in token.top_logprobs])
        for token in message.content[0].logprobs
    ]


async def of_google(clients: Any, prompt: str, is_streamed: bool) -> Told:
    config = {"response_logprobs": True, "logprobs": 3}
    models = clients.google.aio.models
    if is_streamed:
        chunks = [
            each async for each in await models.generate_content_stream(model="m", contents=prompt, config=config)
        ]
    else:
        chunks = [await models.generate_content(model="m", contents=prompt, config=config)]
    results = [chunk.candidates[0].logprobs_result for chunk in chunks if chunk.candidates[0].logprobs_result]
    return [
        (came.token, came.log_probability, [(each.token, each.log_probability) for each in top.candidates])
        for result in results
        for came, top in zip(result.chosen_candidates, result.top_candidates, strict=True)
    ]


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("of", [of_chat, of_responses, of_google])
def test_what_an_sdk_reads_is_what_was_scripted(of: Any, is_streamed: bool, tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(SCRIPT, encoding="utf-8")

    async def once(prompt: str) -> Told:
        async with running(answers=load_script(file)) as server, sdks(server) as clients:
            told: Told = await of(clients, prompt, is_streamed)
            return told

    top = [("Yes", math.log(0.5)), ("yes", math.log(0.25)), ("no", math.log(0.125))]
    assert asyncio.run(once("Is it right?")) == [("yes", math.log(0.25), top), (" indeed", 0.0, [(" indeed", 0.0)])]
    assert asyncio.run(once("Are you sure?")) == [("no", -9999.0, [("The", 0.0)])]
