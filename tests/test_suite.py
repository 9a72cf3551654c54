"""Suite files: what is right is read, what is wrong is named with its line."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from krins.errors import SuiteError
from krins.router_specs import ThompsonRouter
from krins.suite import LiveEnvironment, Pipeline, RecordedEnvironment, Suite
from krins.suite_file import load_suite, parse_suite

ROOT = Path(__file__).parents[1]
GOOD = """\
version: 1
name: good
environment:
  kind: recorded
  table: tables/one.parquet
routers:
  - thompson
  - fixed:some-model
  - {policy: epsilon-greedy, epsilon: 0.2, name: mine}
"""


def parse(text: str) -> Suite:
    return parse_suite(text, Path("/suites/s.yaml"))


def test_shorthand_labels_defaults_and_relative_paths() -> None:
    suite = parse(GOOD)
    assert [router.label for router in suite.routers] == ["thompson", "fixed:some-model", "mine"]
    assert isinstance(suite.environment, RecordedEnvironment)
    assert suite.environment.table == Path("/suites/tables/one.parquet")
    assert (suite.n_replications, suite.n_decisions_a_round) == (100, 1)


def test_a_label_names_what_differs_from_the_default() -> None:
    assert ThompsonRouter().label == "thompson"
    assert ThompsonRouter(likelihood="auto").label == "thompson"
    assert ThompsonRouter(likelihood="normal").label == "thompson(likelihood=normal)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("kind: recorded", "kind: recorded\n  tabel: x"), "s.yaml:5: environment.tabel: unknown key"),
        (("epsilon: 0.2", "epsilon: 2"), "s.yaml:9: routers.2.epsilon: Input should be less than or equal to 1"),
        (("name: good", "name: good\nseed: -1"), "s.yaml:3: seed: Input should be greater than or equal to 0"),
        (("name: good", "name: good\nname: bad"), "s.yaml:3: the key 'name' is given twice"),
        (("name: good\n", ""), "s.yaml:1: name: this key is required"),
        (("- thompson", "- thomson"), "s.yaml:7: routers.0: .*'thomson'"),
        (("name: mine", "name: thompson"), "s.yaml:7: routers: two routers have the name thompson"),
        (("version: 1", "version: 2"), "is of version 2, this krins reads up to 1"),
        (("routers:", "routers: ["), r"s.yaml:\d+: not YAML"),
        (("routers:", "reward: {per_usd: .nan}\nrouters:"), "s.yaml:6: reward.per_usd"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(change: tuple[str, str], message: str) -> None:
    with pytest.raises(SuiteError, match=message) as caught:
        parse(GOOD.replace(*change))
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(SuiteError) as caught:
        parse(GOOD.replace("epsilon: 0.2", "epsilon: 2").replace("kind: recorded", "kind: recorded\n  tabel: x"))
    assert len(caught.value.message.splitlines()) == 2


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n"])
def test_a_file_that_is_no_mapping(text: str) -> None:
    with pytest.raises(SuiteError, match="a suite is a mapping"):
        parse(text)


def test_a_missing_file_names_the_suites_beside_it(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(GOOD)
    with pytest.raises(SuiteError, match="no such suite file") as caught:
        load_suite(tmp_path / "suite.yaml")
    assert "other.yaml" in caught.value.remedy


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SuiteError, match="cannot read the suite"):
        load_suite(tmp_path / "suite.yaml")


def test_money_is_decimal_to_the_last_digit() -> None:
    suite = load_suite(ROOT / "evals" / "local_models.yaml")
    assert isinstance(suite.environment, LiveEnvironment)
    assert suite.environment.models[0].usd_per_million_output_tokens == Decimal("0.02")
    again = Suite.model_validate(suite.model_dump(mode="json"))
    assert again == suite


LIVE = """\
name: live
environment:
  kind: live
  tasks: tasks
  models: [m]
routers: [random]
"""


def with_context(option: str) -> Suite:
    return parse(LIVE.replace("models:", f"context: {option}\n  models:"))


def test_what_of_its_tree_a_task_is_shown() -> None:
    options = {"none": "none", "whole": "whole", "{select: {budget_tokens: 900}}": "select(budget_tokens=900)"}
    for text, label in options.items():
        environment = with_context(text).environment
        assert isinstance(environment, LiveEnvironment)
        assert environment.context_label == label
    for wrong in ("all", "{select: {budget_tokens: 0}}", "{select: 900}", "null"):
        with pytest.raises(SuiteError, match=r"s\.yaml:5: environment\.context"):
            with_context(wrong)


def test_a_suite_without_context_and_pipeline_is_what_it_was_before_there_were_any() -> None:
    assert parse(LIVE).fingerprint == with_context("none").fingerprint
    newer = {"tasks", "context", "pipeline"}
    old = parse(LIVE).model_dump(mode="json", exclude={"description": True, "environment": newer})
    assert parse(LIVE).fingerprint == hashlib.sha256(json.dumps(old, sort_keys=True).encode()).hexdigest()
    assert len({with_context(text).fingerprint for text in ("none", "whole", "{select: {budget_tokens: 9}}")}) == 3


def with_pipeline(text: str) -> Suite:
    return parse(LIVE.replace("kind: live", f"kind: live\n  pipeline: {text}"))


def test_a_pipeline_is_part_of_what_a_suite_is() -> None:
    assert with_pipeline("{mode: direct}").fingerprint == parse(LIVE).fingerprint
    options = ("{mode: judge}", "{mode: judge, rounds: 1}", "{mode: spec}", "{mode: judge, accept_score: 0.7}")
    assert len({with_pipeline(text).fingerprint for text in options}) == 4


def test_by_default_another_model_judges() -> None:
    environment = LiveEnvironment.model_validate({"kind": "live", "tasks": "t", "models": ["a", "b"]})
    assert [environment.judge_of(arm) for arm in "ab"] == ["b", "a"]
    three = LiveEnvironment.model_validate({"kind": "live", "tasks": "t", "models": ["a", "b", "c"]})
    assert [three.judge_of(arm) for arm in "abc"] == ["c", "c", "b"]
    alone = LiveEnvironment.model_validate({"kind": "live", "tasks": "t", "models": ["a"]})
    assert alone.judge_of("a") == "a"
    told = environment.model_copy(update={"pipeline": Pipeline(mode="judge", judge="a")})
    assert [told.judge_of(arm) for arm in "ab"] == ["a", "a"]
    by_judge = environment.model_copy(update={"pipeline": Pipeline(mode="judge", accept_score={"a": 0.9})})
    assert [by_judge.accept_score_of(judge) for judge in "ab"] == [0.9, 0.5]
    with pytest.raises(ValidationError, match="accept_score: 'c' is none of the models a, b"):
        LiveEnvironment.model_validate(
            {"kind": "live", "tasks": "t", "models": ["a", "b"], "pipeline": {"accept_score": {"c": 0.5}}}
        )
    with pytest.raises(ValidationError, match="'c' is none of the models a, b"):
        LiveEnvironment.model_validate({"kind": "live", "tasks": "t", "models": ["a", "b"], "pipeline": {"judge": "c"}})


def test_a_live_suite_may_not_learn_from_latency() -> None:
    text = (ROOT / "evals" / "local_models.yaml").read_text() + "\nreward: {per_second: 1}\n"
    with pytest.raises(SuiteError, match="reproducible from recordings only"):
        parse_suite(text, ROOT / "evals" / "x.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "evals").glob("*.yaml")), ids=lambda path: path.name)
def test_the_suites_of_this_project_are_read(path: Path) -> None:
    assert load_suite(path).routers


def test_the_schema_names_every_key_with_its_meaning() -> None:
    schema = Suite.model_json_schema()
    text = json.dumps(schema)
    assert schema["additionalProperties"] is False
    assert "per_usd" in text
    assert "What one US dollar takes off" in text
    assert set(yaml.safe_load(GOOD)) <= set(schema["properties"])


def test_the_description_does_not_change_what_a_suite_is() -> None:
    suite = parse(GOOD)
    assert suite.fingerprint == parse(GOOD + "description: other words\n").fingerprint
    assert suite.fingerprint != parse(GOOD + "seed: 1\n").fingerprint
