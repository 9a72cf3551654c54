"""The cache: what goes in comes out, and whatever else is in its place does no harm."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from krins.context import store
from krins.context.facts import FileFacts
from krins.context.parsing import parse
from krins.context.store import FactsCache, Key
from krins.context.tree import blob_digest
from krins.errors import StorageFault
from tests.context.graphs import assert_same_facts

SOURCES = {
    "python": '@app.route("/")\nclass A(b.C[int], D):\n    """Doc."""\n    x: int = 1\n\n    def f(self):\n'
    "        self.g(1)\n\n\nimport a.b as c\nfrom .d import (e, f as g)\nLÄNGE = 'ünïcödé 😀'\n",
    "javascript": "import {a as b} from './c';\nfunction f() { return b(); }\n",
}


def some(number: int = 0, language: str = "python") -> tuple[Key, FileFacts]:
    source = (SOURCES[language] + "\n" * number).encode()
    return Key(language, blob_digest(source)), parse(source, language)


def saved(path: Path, *facts: tuple[Key, FileFacts]) -> Path:
    FactsCache(path).save(dict(facts))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "context.parquet"


def test_facts_come_back_as_they_were(path: Path) -> None:
    known = dict([some(0), some(0, "javascript"), (Key("python", blob_digest(b"")), parse(b"", "python"))])
    saved(path, *known.items())
    cache = FactsCache(path)
    loaded = cache.load()
    assert loaded.keys() == known.keys()
    for key, facts in known.items():
        assert_same_facts(loaded[key], facts)
    assert cache.warning == ""


def test_no_file_is_an_empty_cache_without_warning(path: Path) -> None:
    cache = FactsCache(path)
    assert cache.load() == {}
    assert cache.warning == ""
    assert not path.parent.exists()


def test_saving_adds_and_does_not_write_what_is_known(path: Path) -> None:
    saved(path, some(0))
    written = path.stat().st_mtime_ns, path.stat().st_ino
    saved(path, some(0))
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == written
    saved(path, some(1))
    assert FactsCache(path).load().keys() == {some(0)[0], some(1)[0]}


def test_contents_of_other_trees_go_when_they_are_too_many(path: Path) -> None:
    saved(path, *map(some, range(4)))
    saved(path, *map(some, range(3, 7)))
    assert len(FactsCache(path).load()) == 7
    saved(path, *map(some, range(5, 9)))
    assert FactsCache(path).load().keys() == {some(number)[0] for number in range(5, 9)}


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for at in range(100, 400):
        content[at] ^= 0xFF
    path.write_bytes(content)


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _replace(**columns: object) -> Callable[[Path], None]:
    """Another file of the same columns, whose rows are no facts."""

    def replace(path: Path) -> None:
        table = pq.read_table(path)
        for name, values in columns.items():
            at = table.schema.names.index(name)
            table = table.set_column(at, table.schema.field(at), pa.array([values], table.schema.field(at).type))
        pq.write_table(table, path)

    return replace


def _not_text(path: Path) -> None:
    table = pq.read_table(path)
    text = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"], pa.binary()).buffers())
    pq.write_table(table.set_column(0, table.schema.field(0), text), path)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _not_a_name(path: Path) -> None:
    content = path.read_bytes()
    assert b"digest" in content
    path.write_bytes(content.replace(b"digest", b"dig\x85st"))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": _truncate,
    "flipped": _flip,
    "empty": _write(b""),
    "foreign": _write(b"something else"),
    "folder": _make_folder,
    "other columns": lambda path: pq.write_table(pa.table({"a": [1]}), path),
    "no JSON": _replace(outline="{"),
    "other JSON": _replace(outline="[1, false, [], [], [[0, 1, 2]]]"),
    "unit out of range": _replace(unit_of_line=[99] * 11),
    "negative unit": _replace(unit_of_line=[-1] * 11),
    "word out of range": _replace(words=["a"]),
    "no units": _replace(unit_definitions=[], unit_tokens=[]),
    "text that is not UTF-8": _not_text,
    "a pipe": _pipe,
    "a column's name that is not UTF-8": _not_a_name,
    "lines out of range": _replace(outline='[11, false, [["f", 0, -1, 1, 99, 1, 1, 0, 0, [], []]], [], []]'),
    "fewer lines": _replace(unit_of_line=[0]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_a_warning_and_the_file_is_made_anew(path: Path, damage: Callable[[Path], object]) -> None:
    damage(saved(path, some(0)))
    cache = FactsCache(path)
    assert cache.load() == {}
    assert str(path) in cache.warning
    if path.is_dir():
        with pytest.raises(StorageFault, match="cannot be written"):
            cache.save(dict([some(0)]))
        return
    cache.save(dict([some(0)]))
    assert FactsCache(path).load().keys() == {some(0)[0]}


def test_a_folder_whose_name_is_not_utf_8_has_a_cache_too(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff") / "context.parquet"
    saved(path, some(0))
    cache = FactsCache(path)
    assert (list(cache.load()), cache.warning) == ([some(0)[0]], "")


def test_another_parser_makes_the_cache_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(path, some(0))
    store._schema.cache_clear()
    monkeypatch.setattr(store, "_fingerprint", lambda: "of another version")
    try:
        cache = FactsCache(path)
        assert cache.load() == {}
        assert "another version" in cache.warning
    finally:
        store._schema.cache_clear()


def test_pages_are_checked(path: Path) -> None:
    """A byte that is wrong inside a page is found, though the page may still be read."""
    known = dict(map(some, range(3)))
    saved(path, *known.items())
    content = path.read_bytes()
    n_found = 0
    for at in range(4, len(content) - 4, len(content) // 60):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        cache = FactsCache(path)
        for key, facts in cache.load().items():
            assert_same_facts(facts, known[key])
        n_found += bool(cache.warning)
    assert n_found > 30


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(path: Path) -> None:
    path.parent.mkdir(mode=0o500)
    with pytest.raises(StorageFault):
        saved(path, some(0))


def test_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFault):
        saved(tmp_path / "file" / "context.parquet", some(0))


def test_full_disk(path: Path) -> None:
    """A limit on the size of files fails a write in its midst, as a full disk does."""
    saved(path, some(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256, hard))
    try:
        with pytest.raises(StorageFault, match="cannot be written"):
            saved(path, some(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert FactsCache(path).load().keys() == {some(0)[0]}
    assert [left.name for left in path.parent.iterdir()] == [path.name]


def test_savers_and_readers_at_once(path: Path) -> None:
    known = dict(map(some, range(24)))
    keys = list(known)
    warnings: list[str] = []

    def work(first: int) -> None:
        for at in range(first, len(keys), 3):
            FactsCache(path).save({keys[at]: known[keys[at]], keys[0]: known[keys[0]]})
            cache = FactsCache(path)
            for key, facts in cache.load().items():
                assert_same_facts(facts, known[key])
            warnings.append(cache.warning)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(warnings) == {""}
    assert len(warnings) == len(keys)
    assert [left.name for left in path.parent.iterdir()] == [path.name]
