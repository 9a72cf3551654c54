"""User ids for sandboxes."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from krins.quality.identity import uid_within, unshared_uid


@given(first=st.integers(1, 2**20), count=st.integers(2, 2**32 - 2**21))
def test_an_id_is_in_the_upper_half_of_the_largest_range(first: int, count: int) -> None:
    uid = uid_within(f"         0       1000          1\n {first}     100000      {count}\n")
    assert uid is not None
    assert first + (count - 1) // 2 <= uid < first + count


def test_with_all_ids_at_hand_it_is_one_that_nobody_has() -> None:
    uid = uid_within("         0          0 4294967295\n")
    assert uid is not None
    assert 2**31 - 1 <= uid < 2**32 - 1


def test_with_root_alone_there_is_none() -> None:
    assert uid_within("         0       1000          1\n") is None


def test_only_root_can_become_another_user() -> None:
    uid = unshared_uid()
    assert uid != 0
    assert uid is None or os.geteuid() == 0
