"""The journal: what is committed comes back, what is damaged is named and left out."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krins.errors import StorageFault
from krins.runs.journal import Damage, JournalWriter, read_journal

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def written(path: Path, n: int) -> list[dict[str, object]]:
    records: list[dict[str, object]] = [{"kind": "test", "number": i, "text": "grüße\n" * i} for i in range(n)]
    with JournalWriter(path) as journal:
        for record in records:
            journal.append(record)
        journal.commit()
    return records


@given(records=st.lists(st.dictionaries(st.text().filter(lambda key: key != "seq"), json_values), max_size=5))
def test_what_is_committed_comes_back(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    for record in records:  # each opened anew: appending goes on where the last writer stopped
        with JournalWriter(path) as journal:
            journal.append(record)
            journal.commit()
    content = read_journal(path) if records else None
    if content is not None:
        assert [{k: v for k, v in r.items() if k != "seq"} for r in content.records] == records
        assert content.damage == []


def test_any_single_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, 4)
    whole = path.read_bytes()
    truth = read_journal(path).records
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(flipped)
        content = read_journal(path)
        assert content.damage, f"bit of byte {place}"
        assert all(record in truth for record in content.records)


def test_any_torn_end_is_found_and_written_past(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, 3)
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for length in range(last + 1, len(whole) - 1):
        path.write_bytes(whole[:length])
        with JournalWriter(path) as journal:
            journal.append({"kind": "after"})
            journal.commit()
        content = read_journal(path)
        assert [record["kind"] for record in content.records] == ["test", "test", "after"]
        assert [damage.line for damage in content.damage] == [3]


def test_a_missing_line_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, 5)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[4:]))
    content = read_journal(path)
    assert len(content.records) == 3
    assert content.damage[0].reason == "2 records are missing before this line"


def test_nothing_counts_before_it_is_committed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with JournalWriter(path) as journal:
        journal.append({"kind": "test"})
        assert read_journal(path).records == []
        journal.commit()
        assert len(read_journal(path).records) == 1


def test_a_disk_that_takes_no_more_is_a_clear_error_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    written(path, 3)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limit[1]))
    try:
        with JournalWriter(path) as journal:
            journal.append({"kind": "too much"})
            with pytest.raises(StorageFault, match=r"cannot write the journal.*File too large") as caught:
                journal.commit()
            with pytest.raises(StorageFault):
                journal.commit()  # for good: what came after would be behind a torn line
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "--resume" in caught.value.remedy
    content = read_journal(path)
    assert len(content.records) == 3
    assert content.damage == [Damage(4, "torn: the line does not end")]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageFault, match="cannot open the journal"):
        JournalWriter(tmp_path / "nowhere" / "journal.jsonl")
    with pytest.raises(StorageFault, match="cannot read the journal"):
        read_journal(tmp_path / "nowhere" / "journal.jsonl")


def test_commit_without_records_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with JournalWriter(path) as journal:
        journal.commit()
    assert path.stat().st_size == 0


def test_threads_that_append_while_others_commit_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    text = "x" * 20_000  # so large that computing its checksum lets other threads run
    with JournalWriter(path) as journal, ThreadPoolExecutor(8) as threads:

        def write(number: int) -> None:
            journal.append({"number": number, "text": text})
            if number % 3 == 0:
                journal.commit()

        list(threads.map(write, range(600)))
        journal.commit()
    content = read_journal(path)
    assert content.damage == []
    assert sorted(record["number"] for record in content.records) == list(range(600))
