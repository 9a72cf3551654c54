"""A router's snapshot as JSON text, and back, to the last bit.

    {"arms": [...], "buffers": [array, ...], "generator": {...}, "kind": "krins router", "pending": [...],
     "policy": {"name": "UCB1", "params": {...}}, "sha256": "...", "state": {"counts": array, ...}, "version": 1}

An array is {"data": base64 of its little-endian bytes, "dtype": "<f8", "shape": [1, 9]}. A policy among the params of
another, and a state inside another, are written in the same way. `sha256` is that of the text without it.

Invariants: one snapshot has one text, with sorted keys and no spaces; any other text is refused, be it a single
character that differs. Policies are looked up by name among those that are known here: nothing in a text makes
anything be imported or run. The digest finds accidents, not forgers, who can compute one as well.
Left out: files, and reading what another version wrote: a state is small and is learnt anew from a log.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from krins.errors import StateError, boundary
from krins.interfaces import Policy
from krins.routing.baselines import FixedArm, UniformRandom
from krins.routing.budgeted import Budgeted
from krins.routing.divergence import IMED, KLUCB
from krins.routing.epsilon_greedy import DecayingEpsilonGreedy, EpsilonGreedy
from krins.routing.exp3 import EXP3
from krins.routing.floor import ExplorationFloor
from krins.routing.forgetting import Discounted, SlidingWindow
from krins.routing.linear import LinTS, LinUCB
from krins.routing.quality_floor import QualityFloor
from krins.routing.restart import Restarting
from krins.routing.router import Snapshot
from krins.routing.thompson import ThompsonBeta, ThompsonNormal
from krins.routing.ucb import UCB1, UCBTuned

KIND = "krins router"
VERSION = 1

POLICIES: dict[str, type[Any]] = {
    policy.__name__: policy
    for policy in (
        Budgeted,
        DecayingEpsilonGreedy,
        Discounted,
        EXP3,
        EpsilonGreedy,
        ExplorationFloor,
        FixedArm,
        IMED,
        KLUCB,
        LinTS,
        LinUCB,
        QualityFloor,
        Restarting,
        SlidingWindow,
        ThompsonBeta,
        ThompsonNormal,
        UCB1,
        UCBTuned,
        UniformRandom,
    )
}
"""Every policy whose state can be kept. A new one is added here."""

_BIT_GENERATORS: dict[str, type[np.random.BitGenerator]] = {
    generator.__name__: generator
    for generator in (np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64)
}
_DTYPES = ("<f8", "<f4", "<i8", "<i4", "<u8", "<u4", "|b1")
_REMEDY = "take an earlier copy, or begin anew"


def to_json(snapshot: Snapshot) -> str:
    """
    Raises:
        StateError: the policy, a param of it, or the generator is of a kind that cannot be kept.
    """
    generator = snapshot.rng.bit_generator.state
    if generator["bit_generator"] not in _BIT_GENERATORS:
        raise StateError(f"the state of a {generator['bit_generator']} cannot be kept", "use numpy.random.default_rng")
    return _render(
        {
            "kind": KIND,
            "version": VERSION,
            "policy": _policy_to_json(snapshot.policy),
            "arms": list(snapshot.arms),
            "state": _to_json(snapshot.state),
            "pending": list(snapshot.pending),
            "generator": _to_json(generator),
            "buffers": [_to_json(buffer) for buffer in snapshot.buffers],
        }
    )


def from_json(text: str, policy: Policy[Any] | None = None, arms: Sequence[str] | None = None) -> Snapshot:
    """The snapshot that `to_json` wrote.

    Args:
        policy: what it must be of, hyper-parameters included; None: of any.
        arms: what its arms must be, in this order; None: any.

    Raises:
        StateError: the text is no such snapshot, is of another version, was cut off or changed, or is of another
            policy or other arms than are asked for.
    """
    found = _verified(text)
    with boundary(StateError, "this router state makes no sense", _REMEDY):
        snapshot = _snapshot(found)
    if policy is not None and snapshot.policy != policy:
        raise StateError(f"this is the state of {snapshot.policy}, not of {policy}", "begin anew, or go back to that")
    if arms is not None and snapshot.arms != tuple(arms):
        wanted = ", ".join(arms)
        raise StateError(f"this is the state of a router over {', '.join(snapshot.arms)}, not over {wanted}", _REMEDY)
    return snapshot


def _render(content: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(_canonical(content).encode()).hexdigest()
    return _canonical({**content, "sha256": digest})


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _verified(text: str) -> dict[str, Any]:
    """What is in the text, once its kind and version are right and not a character of it differs."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError) as failure:
        raise StateError(f"this is no router state, or it was cut off: {failure}", _REMEDY) from failure
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise StateError("this is JSON, but no router state", f"a router state has kind {KIND!r}")
    if found.get("version") != VERSION:
        raise StateError(
            f"this router state has version {found.get('version')}, this krins reads version {VERSION}",
            "use the krins that wrote it, or begin anew",
        )
    found.pop("sha256", None)
    if _render(found) != text:
        raise StateError("this router state was changed or damaged: its content does not have its SHA-256", _REMEDY)
    return found


def _snapshot(found: Mapping[str, Any]) -> Snapshot:
    policy: Policy[Any] = _policy_from_json(found["policy"])
    arms = tuple(found["arms"])
    pending = tuple(found["pending"])
    if len(pending) != len(arms) or not all(type(count) is int and count >= 0 for count in pending):
        raise ValueError(f"{len(arms)} arms need as many pending counts from 0 on, got {pending}")
    return Snapshot(
        policy,
        arms,
        _state_from_json(found["state"], policy.init(len(arms), 1)),
        pending,
        _generator(found["generator"]),
        tuple(_array(buffer) for buffer in found["buffers"]),
    )


def _policy_to_json(policy: Any) -> dict[str, Any]:
    name = type(policy).__name__
    if POLICIES.get(name) is not type(policy):
        raise StateError(f"the state of {name} cannot be kept: it is not among the known policies", ", ".join(POLICIES))
    values = {field.name: getattr(policy, field.name) for field in dataclasses.fields(policy)}
    return {"name": name, "params": {key: _param_to_json(value) for key, value in values.items()}}


def _param_to_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return _policy_to_json(value)
    if isinstance(value, tuple):
        return [_param_to_json(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise StateError(f"a hyper-parameter of type {type(value).__name__} cannot be kept", "use plain numbers and tuples")


def _policy_from_json(found: Any) -> Any:
    if found["name"] not in POLICIES:
        raise StateError(f"unknown policy {found['name']!r}", f"known are {', '.join(POLICIES)}")
    return POLICIES[found["name"]](**{key: _param_from_json(value) for key, value in found["params"].items()})


def _param_from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return _policy_from_json(value)
    return tuple(_param_from_json(each) for each in value) if isinstance(value, list) else value


def _to_json(value: Any) -> Any:
    """Of a state: arrays, NamedTuples of them, NamedTuples in NamedTuples; or of a generator."""
    if isinstance(value, np.ndarray):
        little = value.astype(value.dtype.newbyteorder("<"), order="C", copy=False)
        data = base64.b64encode(little.tobytes()).decode()
        return {"data": data, "dtype": little.dtype.str, "shape": list(value.shape)}
    if isinstance(value, tuple):
        return {key: _to_json(part) for key, part in value._asdict().items()}  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return {key: _to_json(part) for key, part in value.items()}
    if isinstance(value, str | int):
        return value
    raise StateError(
        f"a state that holds a {type(value).__name__} cannot be kept", "states hold arrays and NamedTuples"
    )


def _state_from_json(found: Any, like: Any) -> Any:
    """A state of the same classes, dtypes and shapes as `like`."""
    if not isinstance(like, np.ndarray):
        if set(found) != set(like._fields):
            raise ValueError(f"{type(like).__name__} has {', '.join(like._fields)}, got {', '.join(found)}")
        return type(like)(**{key: _state_from_json(found[key], getattr(like, key)) for key in like._fields})
    array = _array(found)
    if array.dtype != like.dtype or array.shape != like.shape:
        wanted = f"{like.dtype} of shape {like.shape}"
        raise ValueError(f"the state needs an array of {wanted}, got {array.dtype} of shape {array.shape}")
    return array


def _array(found: Any) -> NDArray[Any]:
    if found["dtype"] not in _DTYPES:
        raise ValueError(f"an array has one of the dtypes {', '.join(_DTYPES)}, got {found['dtype']!r}")
    dtype = np.dtype(found["dtype"])
    array = np.frombuffer(base64.b64decode(found["data"], validate=True), dtype).reshape(found["shape"])
    return array.astype(dtype.newbyteorder("="))


def _generator(found: Any) -> np.random.Generator:
    bit_generator = _BIT_GENERATORS[found["bit_generator"]]()
    bit_generator.state = _generator_state(found)
    return np.random.Generator(bit_generator)


def _generator_state(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    if set(found) == {"data", "dtype", "shape"}:
        return _array(found)
    return {key: _generator_state(part) for key, part in found.items()}
