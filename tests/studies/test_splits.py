"""Splits: whatever knows of each other stays on one side."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.domain import Task
from krins.errors import UserError
from krins.studies.near_twins import SIMILARITY, near_twins, shingles
from krins.studies.splits import Split, folds, split_tasks, tie

LONG = "the parser drops the last comment of a file when it ends without a newline and no token follows it at all"


def brute_force(prompts: list[str], similarity: float) -> set[tuple[int, int]]:
    sets = [shingles(prompt) for prompt in prompts]
    return {
        (i, j)
        for i, j in combinations(range(len(sets)), 2)
        if sets[i] and len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= similarity - 1e-9
    }


def components(n: int, pairs: set[tuple[int, int]]) -> list[int]:
    """The least index that each is tied to."""
    least = list(range(n))
    for _ in range(n):
        for i, j in pairs:
            least[i] = least[j] = min(least[i], least[j])
    return least


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), max_size=9).map(" ".join), max_size=14),
    st.sampled_from([0.2, 0.5, SIMILARITY, 1.0]),
)
def test_what_is_similar_is_tied_and_nothing_else(prompts: list[str], similarity: float) -> None:
    found, expected = list(near_twins(prompts, similarity)), brute_force(prompts, similarity)
    assert len(found) == len(set(found))
    assert set(found) <= expected
    assert components(len(prompts), set(found)) == components(len(prompts), expected)


def test_near_twins_by_hand() -> None:
    # 8 words have 6 shingles; with the last word changed 5 are shared of 7: 0.714. Prompts 1 and 2 share 4 of 8.
    prompts = ["a b c d e f g h", "a b c d e f g x", "a b c d e f y x", "A, b; C d e f g H!", ""]
    assert list(near_twins(prompts)) == [(0, 3), (0, 1)]


def test_equal_prompts_are_each_tied_to_the_first() -> None:
    """All pairs of four thousand would be eight million."""
    found = list(near_twins([LONG] * 4000))
    assert found == [(0, other) for other in range(1, 4000)]


@pytest.mark.parametrize(
    ("one", "other", "is_twin"),
    [
        (
            "修复解析器在文件末尾没有换行符时丢失最后一条注释的错误",
            "请修复解析器在文件末尾没有换行符时丢失最后一条注释的错误",
            True,
        ),
        (
            "修复解析器在文件末尾没有换行符时丢失最后一条注释的错误",
            "为命令行界面添加一个显示版本号的新选项并编写测试",
            False,
        ),
        (
            "パーサーがファイルの最後のコメントを落とす問題を直す",
            "パーサーがファイルの最後のコメントを落とす問題を直して",
            True,
        ),
        ("แก้ไขตัวแยกวิเคราะห์ที่ทำความคิดเห็นสุดท้ายหาย", "แก้ไขตัวแยกวิเคราะห์ที่ทำความคิดเห็นสุดท้ายหายไป", True),
    ],
)
def test_scripts_without_spaces_have_words_too(one: str, other: str, is_twin: bool) -> None:
    assert bool(list(near_twins([one, other]))) == is_twin


def planted() -> list[Task]:
    """Sixty tasks of twelve repositories, and twins of three kinds across them."""
    tasks = [
        Task(f"bench/r{n % 12}-{n}", " ".join(f"w{n}n{i}" for i in range(20)), repository=f"r{n % 12}")
        for n in range(60)
    ]
    equal = [Task(f"bench/equal-{n}", LONG, repository=f"r{n}") for n in (0, 3)]
    near = [Task(f"bench/near-{n}", f"{LONG} {n}", repository=f"r{n}") for n in (4, 7)]
    same = [Task(f"{bench}/issue-99", bench, repository=f"r{n}") for n, bench in ((8, "fix"), (11, "write-tests"))]
    return tasks + equal + near + same


@pytest.mark.parametrize("seed", range(6))
def test_planted_twins_are_never_on_both_sides(seed: int) -> None:
    tasks = planted()
    split = split_tasks(tasks, 0.5, seed)
    unseen = {tasks[task].task_id for task in split.unseen}
    for kind in ("equal", "near"):
        assert len({name in unseen for name in (t.task_id for t in tasks) if f"/{kind}-" in name}) == 1
    assert len({f"{bench}/issue-99" in unseen for bench in ("fix", "write-tests")}) == 1
    repositories = [{tasks[task].repository for task in side} for side in (split.tuning, split.unseen)]
    assert not repositories[0] & repositories[1]
    # All four of r0, r3, r4, r7 hang together by one text, and r8 with r11 by one instance.
    assert (split.ties.groups.max() + 1, split.ties.n_same_instance) == (8, 1)


def test_numbers_are_no_instances() -> None:
    tasks = [Task("gsm/17", repository="a"), Task("mmlu/17", repository="b")]
    assert tie(tasks).groups.tolist() == [0, 1]


words = st.lists(st.sampled_from(["fix", "the", "bug", "in", "parser", "now"]), max_size=6).map(" ".join)
tasks_of = st.lists(
    st.builds(
        lambda n, prompt, repository, category: (n, prompt, repository, category),
        st.integers(0, 30),
        words,
        st.sampled_from([None, "a", "b", "c", "d", "e"]),
        st.sampled_from([None, "x", "y"]),
    ),
    min_size=2,
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(tasks_of, st.sampled_from([0.2, 0.5, 0.8]), st.integers(0, 5))
def test_any_split_keeps_apart_what_must_be(
    rows: list[tuple[int, str, str | None, str | None]], share: float, seed: int
) -> None:
    tasks = [
        Task(f"b{i}/i{n}", prompt, category, repository=repository)
        for i, (n, prompt, repository, category) in enumerate(rows)
    ]
    try:
        split = split_tasks(tasks, share, seed)
    except UserError:
        assert tie(tasks).groups.max() == 0
        return
    assert sorted([*split.tuning, *split.unseen]) == list(range(len(tasks)))
    assert len(split.tuning)
    assert len(split.unseen)
    twins = brute_force([task.prompt for task in tasks], SIMILARITY)
    for one in split.tuning.tolist():
        for other in split.unseen.tolist():
            ours, theirs = tasks[one], tasks[other]
            assert ours.repository is None or ours.repository != theirs.repository
            assert ours.task_id.split("/")[1] != theirs.task_id.split("/")[1]
            assert (min(one, other), max(one, other)) not in twins
    assert np.array_equal(split.unseen, split_tasks(tasks, share, seed).unseen)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(UserError, match=r"3 tasks cannot be split.*\n.*several repositories"):
        split_tasks([Task(str(n), repository="only") for n in range(3)], 0.5, 0)


def test_sides_are_balanced_and_the_largest_repository_is_for_tuning() -> None:
    sizes = {"django": 40, **{f"r{n}": 4 for n in range(10)}}
    tasks = [
        Task(f"{name}-{n}", category="fix" if n % 2 else "test", repository=name)
        for name, size in sizes.items()
        for n in range(size)
    ]
    for seed in range(5):
        split = split_tasks(tasks, 0.5, seed)
        on_unseen = Counter(tasks[task].category for task in split.unseen)
        assert {"django"} < {tasks[task].repository for task in split.tuning}
        assert abs(on_unseen["fix"] - 20) <= 2
        assert abs(on_unseen["test"] - 20) <= 2


def test_a_task_on_both_sides_is_a_fault() -> None:
    split = split_tasks([Task("a", repository="a"), Task("b", repository="b")], 0.5, 0)
    with pytest.raises(AssertionError, match="both sides"):
        Split(np.array([0, 1]), split.unseen, split.ties).check()


def test_folds_keep_groups_whole() -> None:
    groups = np.repeat([5, 2, 9, 4], [6, 3, 2, 1])
    parts = folds(groups, 3, seed=1)
    assert sorted(len(part) for part in parts) == [3, 3, 6]
    assert len({(group, fold) for fold, part in enumerate(parts) for group in groups[part].tolist()}) == 4
    assert [len(part) for part in folds(np.zeros(4, np.int64), 3, seed=1)] == [4]
