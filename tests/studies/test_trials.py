"""Trials: what is scored, on what luck, and that the unseen tasks have no say in what is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from krins.environments.reading import read_table
from krins.environments.table import OutcomeTable
from krins.router_specs import Router, RouterEntry
from krins.studies.study_journal import TuneOptions
from krins.studies.trials import CHUNK, Bench, Phase
from krins.studies.tune_work import Work
from krins.studies.unseen import Sides, at_tasks
from krins.suite import RecordedEnvironment, Suite
from krins.suite_file import load_suite
from tests.studies.tuning import write_tunable


def router(spec: object) -> Router:
    made: Router = TypeAdapter(RouterEntry).validate_python(spec)
    return made


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    suite = load_suite(write_tunable(tmp_path_factory.mktemp("trials"), features={"fields": ["category"]}))
    assert isinstance(suite.environment, RecordedEnvironment)
    return Work.of(suite, TuneOptions(n_points=2), read_table(suite.environment))


def test_a_fixed_model_scores_what_the_table_says_task_by_task(work: Work) -> None:
    score = work.bench.score(router("fixed:model-2"), work.last_phase, range(1))
    outcomes = at_tasks(work.table, work.split.unseen)
    assert np.array_equal(score.quality, outcomes.quality[:, 2, 0])
    assert score.cost_usd == pytest.approx(outcomes.cost_usd[:, 2, 0])
    assert score.reward == pytest.approx(score.quality - 0.2 * score.cost_usd)
    assert score.rewards == pytest.approx(np.full(CHUNK, score.reward.mean()))


def test_folds_cover_the_tuning_tasks_once_and_never_learn_on_what_they_score(work: Work) -> None:
    phases = work.phases
    assert len(phases) == 3
    assert sorted(np.concatenate([phase.scored for phase in phases])) == work.split.tuning.tolist()
    for phase in phases:
        repositories = [{work.table.tasks[task].repository for task in part} for part in phase[1:]]
        assert not repositories[0] & repositories[1]
        assert sorted([*phase.learnt, *phase.scored]) == work.split.tuning.tolist()


def exchanged(table: OutcomeTable, tasks: np.ndarray) -> OutcomeTable:
    """The outcomes of some tasks turned upside down."""
    quality = table.quality.copy()
    quality[tasks] = 1.0 - quality[tasks]
    return replace(table, quality=quality)


@pytest.mark.parametrize("spec", ["thompson", {"policy": "lints", "scale": 0.3}, {"policy": "imed"}])
def test_outcomes_of_unseen_tasks_change_nothing_on_tuning_tasks(work: Work, spec: object) -> None:
    other = replace(work, table=exchanged(work.table, work.split.unseen))
    turned = replace(work, table=exchanged(work.table, work.split.tuning))
    found = work.attempt(router(spec), range(2))
    assert found == other.attempt(router(spec), range(2))
    assert found != turned.attempt(router(spec), range(2))


def test_replications_are_paired_and_add_up(work: Work) -> None:
    one = router({"policy": "epsilon-greedy", "epsilon": 0.2})
    whole = work.attempt(one, range(3))
    parts = [work.attempt(one, range(chunk, chunk + 1)) for chunk in range(3)]
    assert whole.rewards == [reward for part in parts for reward in part.rewards]
    assert whole.quality == pytest.approx(np.mean([part.quality for part in parts]))


def test_learning_beforehand_pays(work: Work) -> None:
    """Which it does only if what was learnt on the tuning tasks is still known on the unseen ones."""
    one = router("thompson")
    cold = Phase("unseen", work.split.tuning[:0], work.split.unseen)
    warm, fresh = (work.bench.score(one, phase, range(4)) for phase in (work.last_phase, cold))
    difference = warm.rewards - fresh.rewards
    assert difference.mean() > 3 * difference.std() / np.sqrt(len(difference))


def test_the_router_at_work_has_learnt_every_answer_to_the_tuning_tasks_once(work: Work) -> None:
    live = work.bench.learnt_router(router({"policy": "linucb"}), work.last_phase)
    assert set(live.pending.values()) == {0}
    learnt = work.bench.learnt_router(router({"policy": "epsilon-greedy"}), work.last_phase)
    tally = learnt.snapshot().state
    n = len(work.split.tuning)
    assert tally.counts.tolist() == [[n] * 4]
    assert learnt.arms == tuple(work.bench.ground(work.last_phase).arm_names)
    np.testing.assert_allclose(tally.sums[0], work.bench.rewards[work.split.tuning, :, 0].sum(axis=0))


def test_a_router_that_forgets_learns_by_playing_one_answer_a_task(work: Work) -> None:
    learnt = work.bench.learnt_router(router({"policy": "epsilon-greedy", "window": 1000}), work.last_phase)
    assert learnt.snapshot().state.inner.counts.sum() == len(work.split.tuning)


def test_comparisons_by_hand() -> None:
    """Two repositories of two unseen tasks; the router takes model b where it is right and a elsewhere."""
    from krins.domain import Arm, Task
    from krins.studies.splits import Split, tie
    from krins.studies.trials import Score

    quality = np.array([[1, 1], [0, 1], [0, 1], [1, 1], [0, 1], [0, 0]], float)[:, :, None]
    cost = np.tile([0.1, 1.0], (6, 1))[:, :, None]
    tasks = [Task(str(n), repository="tuned" if n < 2 else f"unseen-{n % 2}") for n in range(6)]
    nothing = np.full(quality.shape, np.nan)
    table = OutcomeTable(
        tasks, [Arm("a"), Arm("b")], quality, cost, nothing, nothing, nothing, np.zeros(quality.shape, np.int8),
        np.ones((6, 2), np.int64),
    )  # fmt: skip
    suite = Suite.model_validate(
        {"name": "s", "environment": {"kind": "recorded"}, "routers": ["random"], "reward": {"per_usd": 0.5}}
    )
    sides = Sides.of(table, Split(np.arange(2), np.arange(2, 6), tie(tasks)), suite.reward)
    score = Score(
        quality=np.array([1.0, 1.0, 0.0, 0.0]),
        cost_usd=np.array([1.0, 0.1, 0.1, 0.1]),
        reward=np.array([0.5, 0.95, -0.05, -0.05]),
        rewards=np.zeros(1),
    )
    row = sides.row(router("random"), ["suite"], score)
    assert (row.chosen.model, row.hindsight.model) == ("b", "b")
    # Differences to b: 0, 0, -1, 0; by repository (0, -1) and (0, 0).
    assert row.chosen.quality_difference.mean == -0.25
    assert row.chosen.saving is not None
    assert row.chosen.saving.mean == pytest.approx(1 - 0.325)
    # CR2 of two clusters of two: each sum of residuals -0.5 and 0.5 grows by 1 / sqrt(1 - 1/2).
    assert row.chosen.standard_error == pytest.approx(np.sqrt(2 * (0.5**2 * 2)) / 4)
    # One degree of freedom, whose quantile is 12.7: nothing is shown short of the largest margin that there is.
    assert row.chosen.smallest_margin == 1.0
    assert row.chosen.is_non_inferior == [False, False, False]
    assert row.reward_difference.mean == pytest.approx(
        0.3375 - (0.75 - 0.5)
    )  # b has the most reward on the tuning tasks, too
    assert row.chosen_hull is not None
    assert row.chosen_hull.gain is not None
    # a has .25 at $0.1 and b .75 at $1: at $0.325 a mixture has .375.
    assert row.chosen_hull.gain.mean == pytest.approx(0.5 - 0.375)


def test_an_unknown_suite_feature_is_refused(work: Work) -> None:
    from krins.errors import SuiteError

    features = {"fields": ["language"]}
    suite = Suite.model_validate({**work.suite.model_dump(), "features": features})
    with pytest.raises(SuiteError, match="no task has a language"):
        Bench(suite, work.table, work.split.tuning).features  # noqa: B018
