"""Indexing: what is read again, what is parsed again, what is skipped, and where the cache comes in."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from krins.context import index, parallel
from krins.context.index import CodeIndex
from krins.context.parallel import Facts, Source
from krins.context.tree import Entry, GitTree, Listing, MemoryTree, Tree, Unreadable, WorkTree
from krins.errors import ContextError, StorageFault
from tests.context.graphs import assert_same_graph

FILES: dict[str, str | bytes] = {
    "pkg/__init__.py": "from .a import f\n",
    "pkg/a.py": "def f():\n    return g()\n\n\ndef g():\n    return 1\n",
    "pkg/copy.py": "def f():\n    return g()\n\n\ndef g():\n    return 1\n",
    "main.py": "from pkg import f\n\n\ndef main():\n    f()\n",
}


class Watched:
    """A tree that counts what is read, and whose files may be changed."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self.files = dict(files)
        self.stamps: dict[str, str] = {}
        self.reads: Counter[str] = Counter()

    def list(self) -> Listing:
        entries = {path: Entry(0, self.stamps.get(path, "first")) for path in sorted(self.files)}
        return Listing(entries, {"no grammar": 2})

    def read(self, path: str) -> bytes:
        self.reads[path] += 1
        return MemoryTree(self.files).read(path)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """What goes to the parsers."""
    sources: list[Source] = []

    def parse_all(wanted: list[Source], workers: int | None) -> list[Facts]:
        sources.extend(wanted)
        return parallel.parse_all(wanted, workers)

    monkeypatch.setattr(index, "parse_all", parse_all)
    return sources


def fresh(files: Mapping[str, str | bytes]) -> CodeIndex:
    return CodeIndex(MemoryTree(files))


def test_a_content_is_parsed_once_wherever_it_stands(parsed: list[Source]) -> None:
    graph = fresh(FILES).update()
    assert len(parsed) == 3
    assert graph.facts[graph.paths.index("pkg/a.py")] is graph.facts[graph.paths.index("pkg/copy.py")]


def test_nothing_changed_is_the_same_graph(parsed: list[Source]) -> None:
    tree = Watched(FILES)
    indexed = CodeIndex(tree)
    first = indexed.update()
    assert indexed.update() is first
    assert set(tree.reads.values()) == {1}
    tree.stamps["main.py"] = "touched"
    assert indexed.update() is first
    assert tree.reads["main.py"] == 2
    assert len(parsed) == 3


def test_one_changed_file_is_read_and_parsed_alone(parsed: list[Source]) -> None:
    tree = Watched(FILES)
    indexed = CodeIndex(tree)
    first = indexed.update()
    tree.files["main.py"], tree.stamps["main.py"] = "x = 1\n", "second"
    then = indexed.update()
    assert tree.reads == {"main.py": 2, "pkg/__init__.py": 1, "pkg/a.py": 1, "pkg/copy.py": 1}
    assert parsed[3:] == [("python", b"x = 1\n")]
    assert_same_graph(then, CodeIndex(Watched(tree.files)).update())
    assert_same_graph(first, CodeIndex(Watched(FILES)).update())


def test_stamps_that_name_contents_need_no_reading(tmp_path: Path) -> None:
    cache = tmp_path / "cache.parquet"
    first = CodeIndex(MemoryTree(FILES), cache)
    first.update()
    first.save()
    tree = Watched(FILES)
    tree.stamps = {path: entry.stamp for path, entry in MemoryTree(FILES).list().entries.items()}
    assert_same_graph(CodeIndex(tree, cache).update(), CodeIndex(Watched(FILES)).update())
    assert not tree.reads


def test_what_is_skipped_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Watched({**FILES, "binary.py": b"a\0b", "latin.py": b"# \xe9\n", "copy.py": b"# \xe9\n"})
    indexed = CodeIndex(tree)
    graph = indexed.update()
    assert graph.paths == tuple(sorted(FILES))
    assert graph.skipped == {"binary": 1, "no grammar": 2, "not UTF-8": 2}
    tree.files["latin.py"] = "x = 1\n"
    assert "latin.py" in indexed.update().paths, "its stamp is the same, but it was not read"


def test_a_parser_that_fails_costs_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse_all(sources: list[Source], workers: int | None) -> list[Facts]:
        facts = parallel.parse_all(sources, workers)
        return [None if b"main" in source else one for (_, source), one in zip(sources, facts, strict=True)]

    monkeypatch.setattr(index, "parse_all", parse_all)
    indexed = CodeIndex(Watched(FILES))
    graph = indexed.update()
    assert "main.py" not in graph.paths
    assert graph.skipped == {"no grammar": 2, "parser failed": 1}
    assert indexed.update() is graph


def test_a_file_that_vanishes_between_listing_and_reading() -> None:
    class Vanishing(Watched):
        def read(self, path: str) -> bytes:
            if path == "main.py" and not self.reads[path]:
                self.reads[path] += 1
                raise Unreadable("vanished", path)
            return super().read(path)

    indexed = CodeIndex(Vanishing(FILES))
    assert indexed.update().skipped == {"no grammar": 2, "vanished": 1}
    assert "main.py" in indexed.update().paths


def test_empty_tree() -> None:
    graph = fresh({}).update()
    assert graph.n_files == graph.n_units == 0
    assert graph.skipped == {}


def test_no_tree(tmp_path: Path) -> None:
    with pytest.raises(ContextError):
        CodeIndex(WorkTree(tmp_path / "nowhere")).update()


class TestCache:
    @pytest.fixture
    def cache(self, tmp_path: Path) -> Path:
        return tmp_path / ".krins" / "context.parquet"

    def saved(self, tree: Tree, cache: Path) -> CodeIndex:
        indexed = CodeIndex(tree, cache)
        indexed.update()
        indexed.save()
        return indexed

    def test_what_is_cached_is_not_parsed(self, cache: Path, parsed: list[Source]) -> None:
        self.saved(MemoryTree(FILES), cache)
        parsed.clear()
        changed = {**FILES, "main.py": "x = 1\n"}
        graph = CodeIndex(MemoryTree(changed), cache).update()
        assert parsed == [("python", b"x = 1\n")]
        assert graph.warnings == ()
        assert_same_graph(graph, fresh(changed).update())

    def test_damage_is_a_warning(self, cache: Path) -> None:
        self.saved(MemoryTree(FILES), cache)
        cache.write_bytes(b"PAR1 not really")
        indexed = CodeIndex(MemoryTree(FILES), cache)
        graph = indexed.update()
        assert len(graph.warnings) == 1
        assert str(cache) in graph.warnings[0]
        assert_same_graph(graph, fresh(FILES).update())
        indexed.save()
        assert CodeIndex(MemoryTree(FILES), cache).update().warnings == ()

    def test_a_cache_that_cannot_be_written_costs_no_graph(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        indexed = CodeIndex(MemoryTree(FILES), tmp_path / "file" / "context.parquet")
        graph = indexed.update()
        with pytest.raises(StorageFault):
            indexed.save()
        assert indexed.update() is graph

    def test_without_a_cache_nothing_is_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        indexed = fresh(FILES)
        indexed.update()
        indexed.save()
        assert list(tmp_path.iterdir()) == []


class TestWorkTree:
    """On disk, where stamps are made of times and the clock ticks."""

    def write(self, root: Path, path: str, text: str) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    def test_a_change_within_one_tick_is_seen(self, tmp_path: Path) -> None:
        """Of equal length, with the same times: only the content tells."""
        self.write(tmp_path, "a.py", "def one(): pass\n")
        indexed = CodeIndex(WorkTree(tmp_path))
        before = (tmp_path / "a.py").stat()
        assert indexed.update().find("one")
        with (tmp_path / "a.py").open("r+") as file:
            file.write("def two(): pass\n")
        os.utime(tmp_path / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
        graph = indexed.update()
        assert graph.find("two")
        assert not graph.find("one")

    def test_renamed_swapped_and_deleted(self, tmp_path: Path) -> None:
        for path, text in FILES.items():
            self.write(tmp_path, path, str(text))
        indexed = CodeIndex(WorkTree(tmp_path))
        indexed.update()
        (tmp_path / "main.py").rename(tmp_path / "renamed.py")
        (tmp_path / "pkg/a.py").rename(tmp_path / "pkg/swap")
        (tmp_path / "pkg/__init__.py").rename(tmp_path / "pkg/a.py")
        (tmp_path / "pkg/swap").rename(tmp_path / "pkg/__init__.py")
        (tmp_path / "pkg/copy.py").unlink()
        graph = indexed.update()
        assert graph.paths == ("pkg/__init__.py", "pkg/a.py", "renamed.py")
        assert_same_graph(graph, CodeIndex(WorkTree(tmp_path)).update())


def test_commits(tmp_path: Path) -> None:
    """Contents of an earlier commit are not even read again."""

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    commits = []
    git("init", "--quiet")
    for text in ("def one(): pass\n", "def two(): pass\n"):
        for path, content in {**FILES, "main.py": text}.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(str(content))
        git("add", ".")
        git("commit", "--quiet", "-m", text)
        commits.append(git("rev-parse", "HEAD"))
    cache = tmp_path / "cache.parquet"
    for commit, text in zip(commits, ("def one(): pass\n", "def two(): pass\n"), strict=True):
        indexed = CodeIndex(GitTree(tmp_path, commit), cache)
        assert_same_graph(indexed.update(), fresh({**FILES, "main.py": text}).update())
        indexed.save()


def test_words_out_of_use_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_SLACK", 10)
    tree = Watched({"a.py": "x = 1\n"})
    indexed = CodeIndex(tree)
    for number in range(60):
        tree.files["a.py"], tree.stamps["a.py"] = f"only_here_{number} = other_{number}\n", str(number)
        graph = indexed.update()
    assert len(indexed._table) < 30
    assert_same_graph(graph, CodeIndex(Watched(tree.files)).update())


def test_a_graph_may_be_sent_to_another_process() -> None:
    graph = fresh(FILES).update()
    assert_same_graph(pickle.loads(pickle.dumps(graph)), graph)
