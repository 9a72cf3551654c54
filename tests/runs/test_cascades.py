"""Cascades in runs: their rows, their regret, what a verifier must be able to do, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from krins.errors import SuiteError
from krins.runs.break_even import SPECIFICITIES
from krins.runs.run import run
from tests.support.suites import live_environment, same_numbers, write_suite, write_table

QUALITY = np.array([[1, 1], [1, 0], [1, 1], [0, 1], [1, 1], [0, 1], [1, 1], [0, 1], [1, 0], [1, 1], [0, 1], [1, 1]])
COST = np.tile([0.1, 1.0], (12, 1))
PERFECT = {"sensitivity": 1.0, "specificity": 1.0}


def suite_with(folder: Path, *routers: object, **keys: object) -> Path:
    table = write_table(folder / "table.parquet", QUALITY.astype(np.float64), COST)
    return write_suite(folder, {"kind": "recorded", "table": str(table)}, routers, replications=3, **keys)


def cascade(verifier: dict[str, float], models: tuple[str, ...] = ("model-0", "model-1")) -> dict[str, object]:
    return {"policy": "cascade", "models": list(models), "verifier": verifier}


def test_a_perfect_cascade_by_hand(tmp_path: Path) -> None:
    suite = suite_with(tmp_path, cascade(PERFECT), "random", reward={"quality": 1, "per_usd": 0.1})
    row = run(suite, home=tmp_path).routers[0]
    assert row.router == "model-0 > model-1 (simulated verifier 100%/100%)"
    # Four tasks are escalated, and all of them are then right.
    assert row.quality.mean == pytest.approx(1.0)
    assert row.cost_usd is not None
    assert row.cost_usd.mean == pytest.approx(0.1 + 4 / 12)
    # Reward of model-1, the best fixed one: 10/12 - 0.1; of model-0: 8/12 - 0.01.
    assert row.regret_vs_best_fixed is not None
    assert row.regret_vs_best_fixed.mean == pytest.approx(12 * (10 / 12 - 0.1) - 12 * (1 - 0.1 * (0.1 + 4 / 12)))


def test_break_even_by_hand(tmp_path: Path) -> None:
    suite = suite_with(tmp_path, cascade(PERFECT), reward={"quality": 1, "per_usd": 0.1}, non_inferiority_margin=0.0)
    curve = run(suite, home=tmp_path).routers[0].break_even
    assert curve is not None
    # With sensitivity 1 the 8 right answers of model-0 stand, and a share `specificity` of the 4 wrong ones is mended.
    gains = [8 / 12 + 4 / 12 * s - 0.1 * (0.1 + 4 / 12 * s) - (10 / 12 - 0.1) for s in SPECIFICITIES.tolist()]
    least = next(s for s, gain in zip(SPECIFICITIES.tolist(), gains, strict=True) if gain > 0)
    assert curve.better_reward[-1] == pytest.approx((least, 1.0))
    # As good as model-1 (10 of 12) from a specificity of 1/2 on, and cheaper throughout.
    assert curve.saving[-1] == pytest.approx((0.5, 1.0))
    assert all(
        sure is None or sure >= point for sure, point in zip(curve.sure_saving, curve.saving, strict=True) if point
    )


def test_a_cascade_is_the_same_whatever_the_order_of_routers(tmp_path: Path) -> None:
    verifier = {"sensitivity": 0.8, "specificity": 0.7}
    first = run(suite_with(tmp_path, cascade(verifier), "random"), home=tmp_path).routers[0]
    second = run(suite_with(tmp_path, "random", cascade(verifier)), home=tmp_path).routers[1]
    assert first == second


def test_a_name_does_not_hide_that_the_verifier_is_simulated(tmp_path: Path) -> None:
    named = {**cascade(PERFECT), "name": "ours"}
    assert run(suite_with(tmp_path, named), home=tmp_path).routers[0].router == "ours (simulated verifier 100%/100%)"


def test_a_resumed_run_with_a_cascade_is_the_same(tmp_path: Path) -> None:
    from krins.runs.run import resume

    done = run(suite_with(tmp_path, cascade({"sensitivity": 0.8, "specificity": 0.7})), home=tmp_path)
    (done.folder / "decisions.parquet").unlink()
    assert same_numbers(resume(done.run_id, home=tmp_path)) == same_numbers(done)
    assert (done.folder / "decisions.parquet").exists()


@pytest.mark.parametrize(
    ("router", "message"),
    [
        (cascade(PERFECT, ("model-0", "model-9")), "no model 'model-9'"),
        (cascade(PERFECT, ("model-0", "model-0")), "asks each model once"),
        (cascade(PERFECT, ("model-0",)), "at least 2 items"),
        (cascade({"sensitivity": 1.2, "specificity": 1.0}), "less than or equal to 1"),
        (cascade({"sensitivity": 1.0}), "this key is required"),
    ],
)
def test_what_does_not_make_a_cascade_is_refused(tmp_path: Path, router: object, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        run(suite_with(tmp_path, router), home=tmp_path)


def test_a_live_cascade_is_refused(tmp_path: Path) -> None:
    environment = live_environment("http://127.0.0.1:9/v1", ["model-0", "model-1"])
    with pytest.raises(SuiteError, match="simulated on recordings only"):
        run(write_suite(tmp_path, environment, [cascade(PERFECT)]), home=tmp_path)
