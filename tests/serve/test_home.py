"""What belongs to one home, and the arguments that hold there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from krins.errors import StorageFault
from serve.home import absolute, actor_name, home_of, keep, kept
from serve.settings import ServiceArgs


def test_actors_of_two_homes_have_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(str(tmp_path / "a").encode()).hexdigest()
    assert actor_name("learner", tmp_path / "a") == f"krins-learner-{digest[:8]}"
    assert actor_name("learner", tmp_path / "b") != actor_name("learner", tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    assert actor_name("keeper", Path("a")) == actor_name("keeper", tmp_path / "a")


def test_arguments_that_are_kept_are_read_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    models = [{"name": "m", "base_url": "http://127.0.0.1:9/v1", "max_tries": 2}]
    args = ServiceArgs.model_validate({"router": "suite:a.yaml#b", "home": "home", "models": [*models, "n"]})
    assert kept(home_of(args)) is None
    whole = absolute(args)
    assert (whole.home, whole.router) == (tmp_path / "home", f"suite:{tmp_path / 'a.yaml'}#b")
    keep(whole)
    assert kept(home_of(args)) == whole == absolute(whole)
    file = tmp_path / "home" / "serving" / "arguments.json"
    before = file.stat().st_mtime_ns
    keep(whole)
    assert file.stat().st_mtime_ns == before, "a replica that starts on a full disk must not need room for them"
    keep(whole.model_copy(update={"port": 9000}))
    assert kept(home_of(args)) == whole.model_copy(update={"port": 9000})
    file.write_text("{")
    assert kept(home_of(args)) is None


def test_arguments_that_cannot_be_kept_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "serving").write_text("in the way")
    with pytest.raises(StorageFault, match="arguments"):
        keep(absolute(ServiceArgs(home=tmp_path)))
