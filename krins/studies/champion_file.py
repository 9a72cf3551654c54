"""A router that won a study, as text: everything that is needed to go on with it.

    champion.json   {"kind": "krins champion", "version": 2, "router": the text of `state_file`, "features": the fitted
                    features or null, "reward": the suite's, ..., "evidence_sha256": "...", "sha256": "..."}
    evidence.json   the study's figures on unseen tasks (`tune_result`)

Invariants: `sha256` is that of the text without it, `evidence_sha256` that of the other file; a text that was changed
is refused. They find accidents, not forgers. Nothing in a text makes anything be imported or run. Left out: where the
files are kept.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from krins.errors import StateError, boundary
from krins.routing.features import FeatureMap
from krins.routing.router import Router
from krins.routing.state_file import from_json, to_json
from krins.studies.tune_result import TuneResult
from krins.suite import Reward

KIND = "krins champion"
VERSION = 2
CHAMPION_FILE = "champion.json"
EVIDENCE_FILE = "evidence.json"
_REMEDY = "load another version, or register the study again: krins-eval tune --resume STUDY --register NEW_NAME"
_FEATURES: TypeAdapter[FeatureMap] = TypeAdapter(FeatureMap)


class Contents(NamedTuple):
    """What the two files hold."""

    router: Router
    features: FeatureMap | None
    reward: Reward
    exploration_floor: float
    evidence: TuneResult


def write_files(contents: Contents) -> dict[str, str]:
    """File name to text.

    Raises:
        StateError: the router's policy is of a kind that cannot be kept.
    """
    evidence = contents.evidence.model_dump_json(indent=2) + "\n"
    champion = {
        "kind": KIND,
        "version": VERSION,
        "router": to_json(contents.router.snapshot()),
        "features": None if contents.features is None else dataclasses.asdict(contents.features),
        "reward": contents.reward.model_dump(mode="json"),
        "exploration_floor": contents.exploration_floor,
        "data_sha256": contents.evidence.data_sha256,
        "evidence_sha256": _digest(evidence),
    }
    text = _canonical({**champion, "sha256": _digest(_canonical(champion))})
    return {CHAMPION_FILE: text, EVIDENCE_FILE: evidence}


def read_files(files: dict[str, str]) -> Contents:
    """What `write_files` wrote.

    Raises:
        StateError: a file is missing, was cut off or changed, or is of another version.
    """
    missing = [name for name in (CHAMPION_FILE, EVIDENCE_FILE) if name not in files]
    if missing:
        raise StateError(f"the registered router lacks {', '.join(missing)}", _REMEDY)
    found = _verified(files[CHAMPION_FILE])
    if found["evidence_sha256"] != _digest(files[EVIDENCE_FILE]):
        raise StateError("the registered router's evidence was changed: it does not have its SHA-256", _REMEDY)
    with boundary(StateError, "the registered router makes no sense", _REMEDY):
        features = None if found["features"] is None else _FEATURES.validate_python(found["features"])
        evidence = TuneResult.model_validate_json(files[EVIDENCE_FILE])
        if evidence.data_sha256 != found["data_sha256"]:
            raise ValueError("its evidence is of other data than itself")
        return Contents(
            Router.resume(from_json(found["router"])),
            features,
            Reward.model_validate(found["reward"]),
            float(found["exploration_floor"]),
            evidence,
        )


def _verified(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError) as failure:
        raise StateError(f"the registered router was damaged or cut off: {failure}", _REMEDY) from failure
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise StateError("this is JSON, but no registered router", f"one has kind {KIND!r}")
    if found.get("version") != VERSION:
        raise StateError(
            f"this registered router has version {found.get('version')}, this krins reads version {VERSION}",
            "use the krins that registered it, or tune anew",
        )
    digest = found.pop("sha256", None)
    if digest != _digest(_canonical(found)) or _canonical({**found, "sha256": digest}) != text:
        raise StateError("the registered router was changed or damaged: its content does not have its SHA-256", _REMEDY)
    return found


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
