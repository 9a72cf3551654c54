"""Figures of public outcome tables that others computed, made again. Skipped where the tables are not at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from krins.environments.reading import read_table
from krins.runs.baselines import Cells, compute_baselines
from krins.runs.result import Baselines
from krins.suite import RecordedEnvironment, Reward
from tests.conftest import ROOT

TABLE = ROOT.parent / "shared" / "data" / "outcomes" / "openhands_index_coding.parquet"

pytestmark = pytest.mark.skipif(not TABLE.exists(), reason=f"needs the OpenHands index as an outcome table at {TABLE}")


def baselines(**options: object) -> Baselines:
    spec = {"kind": "recorded", "table": Path(TABLE), "missing": "fail", **options}
    return compute_baselines(Cells(read_table(RecordedEnvironment.model_validate(spec)), Reward()))


def test_bug_fixes_with_all_models() -> None:
    found = baselines(include={"category": ["bugfix"]})
    assert found.cheapest_correct is not None
    assert found.cheapest_correct.cost_usd is not None
    assert found.best_single.cost_usd is not None
    assert found.random.cost_usd is not None
    assert found.best_single.model == "claude-fable-5"
    assert (found.best_single.quality.mean, found.best_single.cost_usd.mean) == pytest.approx((0.958, 1.43), abs=5e-3)
    assert (found.random.quality.mean, found.random.cost_usd.mean) == pytest.approx((0.723, 0.95), abs=5e-3)
    assert found.oracle.quality.mean == pytest.approx(0.980, abs=5e-4)
    assert found.cheapest_correct.cost_usd.mean == pytest.approx(0.203, abs=5e-4)
    assert [model.model for model in found.hull] == ["DeepSeek-V4-Pro", "MiniMax-M3", "claude-fable-5"]


def test_all_kinds_without_the_model_far_above_the_others() -> None:
    found = baselines(exclude={"model": ["claude-fable-5"]})
    assert found.best_single.cost_usd is not None
    assert found.cheapest_correct is not None
    assert found.cheapest_correct.cost_usd is not None
    assert found.best_single.model == "claude-opus-4-8"
    assert (found.best_single.quality.mean, found.best_single.cost_usd.mean) == pytest.approx((0.788, 0.982), abs=5e-4)
    assert found.oracle.quality.mean == pytest.approx(0.914, abs=5e-4)
    assert found.cheapest_correct.cost_usd.mean == pytest.approx(0.213, abs=5e-4)
    assert [model.model for model in found.hull] == ["DeepSeek-V4-Pro", "MiniMax-M3", "claude-opus-4-8"]
