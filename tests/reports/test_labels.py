"""Labels in pictures: they keep their order and off each other."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.reports.labels import Box, Label, dodge, label_size, place


def test_labels_with_room_stay_where_they_are() -> None:
    assert dodge([10.0, 50.0, 90.0], [14.0] * 3, 0, 100) == [10.0, 50.0, 90.0]


def test_two_labels_in_one_place_part_evenly() -> None:
    assert dodge([50.0, 50.0], [14.0, 14.0], 0, 100) == [43.0, 57.0]


def test_labels_keep_inside() -> None:
    assert dodge([99.0, 98.0], [10.0, 10.0], 0, 100) == [95.0, 85.0]


@given(st.lists(st.tuples(st.floats(0, 400), st.sampled_from([16.0, 30.0])), min_size=1, max_size=12))
def test_dodged_labels_neither_overlap_nor_change_order(places: list[tuple[float, float]]) -> None:
    centres, heights = [centre for centre, _ in places], [height for _, height in places]
    placed = dodge(centres, heights, 0, 400)
    order = sorted(range(len(places)), key=lambda i: centres[i])
    for above, below in pairwise(order):
        assert placed[below] - placed[above] >= (heights[above] + heights[below]) / 2 - 1e-6
    assert min(placed[i] - heights[i] / 2 for i in order) >= -1e-6
    assert max(placed[i] + heights[i] / 2 for i in order) <= 400 + 1e-6


def box_of(label: Label) -> Box:
    width, height = label_size(label.lines)
    left = label.x - width * {"left": 0.0, "center": 0.5, "right": 1.0}[label.align]
    return Box(left, label.y - height / 2, left + width, label.y + height / 2)


def test_a_lone_label_stands_right_of_its_mark() -> None:
    (label,) = place(["name"], [(100.0, 100.0)], [], 640, 400)
    assert (label.lines, label.x, label.y, label.align) == (["name"], 109.0, 100.0, "left")


def test_at_the_right_edge_it_stands_on_the_left() -> None:
    (label,) = place(["name"], [(635.0, 100.0)], [], 640, 400)
    assert (label.x, label.align) == (626.0, "right")


def test_an_obstacle_is_kept_off() -> None:
    wall = Box(105, 0, 640, 400)
    (label,) = place(["name"], [(100.0, 100.0)], [wall], 640, 400)
    assert box_of(label).overlap(wall) == 0


@given(st.lists(st.tuples(st.floats(20, 620), st.floats(20, 380)), min_size=2, max_size=4))
def test_a_few_labels_never_cover_each_other(marks: list[tuple[float, float]]) -> None:
    labels = place([f"model-{i}" for i in range(len(marks))], marks, [], 640, 400)
    for first, second in combinations(map(box_of, labels), 2):
        assert first.overlap(second) == pytest.approx(0)
