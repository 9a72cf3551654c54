"""Equality of graphs, to the last entry."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from krins.context.facts import FileFacts
from krins.context.graph import CodeGraph


def assert_same_facts(one: FileFacts, other: FileFacts) -> None:
    for field in fields(FileFacts):
        _assert_same(getattr(one, field.name), getattr(other, field.name), field.name)


def assert_same_graph(one: CodeGraph, other: CodeGraph) -> None:
    """All but the warnings, edges included."""
    for field in fields(CodeGraph):
        if field.name not in ("facts", "warnings", "resolver"):
            _assert_same(getattr(one, field.name), getattr(other, field.name), field.name)
    for left, right in zip(one.facts, other.facts, strict=True):
        assert_same_facts(left, right)
    for edges in ("mentions", "imports", "calls"):
        for part in ("indptr", "indices", "data"):
            name = f"{edges}.{part}"
            _assert_same(getattr(getattr(one, edges), part), getattr(getattr(other, edges), part), name)
    assert one.word_ids == other.word_ids


def _assert_same(one: object, other: object, name: str) -> None:
    assert type(one) is type(other), name
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        assert one.dtype == other.dtype, name
        assert one.tolist() == other.tolist(), name
    else:
        assert one == other, name
