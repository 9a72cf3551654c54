"""Records of a journal: what an older krins wrote still reads, and what this one writes comes back whole."""

from __future__ import annotations

import json

from krins.domain import Attempt, Outcome
from krins.runs.records import Observed, parse_records

ATTEMPT = Attempt("yes", None, 0.5, "m", choice_probabilities={"yes": 0.1 + 0.2, "no": 0.7}, choice_mass=1 / 3)


def outcome(attempt: Attempt) -> Outcome:
    return Outcome("t", "m", 0, 1.0, None, attempts=(attempt,))


def test_how_probable_the_choices_were_comes_back_to_the_last_digit() -> None:
    written = json.loads(Observed(outcome=outcome(ATTEMPT)).model_dump_json())
    assert parse_records([written], "journal") == [Observed(outcome=outcome(ATTEMPT))]


def test_an_attempt_from_before_there_were_choices_still_reads() -> None:
    plain = Attempt("yes", None, 0.5, "m")
    written = json.loads(Observed(outcome=outcome(plain)).model_dump_json())
    [attempt] = written["outcome"]["attempts"]
    del attempt["choice_probabilities"], attempt["choice_mass"]
    assert parse_records([written], "journal") == [Observed(outcome=outcome(plain))]
