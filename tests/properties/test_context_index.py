"""An index that has followed a tree through any changes is a fresh index of what the tree has become."""

from __future__ import annotations

import os
import tempfile
from itertools import product
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from krins.context.index import CodeIndex
from krins.context.tree import Listing, MemoryTree, WorkTree
from tests.context.graphs import assert_same_graph

PATHS = st.sampled_from(
    [
        "main.py",
        "pkg/__init__.py",
        "pkg/a.py",
        "pkg/b.py",
        "pkg/sub/__init__.py",
        "pkg/sub/c.py",
        "web/index.js",
        "web/a.ts",
    ]
)
NAMES = st.sampled_from(["f", "g", "Box", "run", "a", "b"])
STATEMENTS = st.one_of(
    st.builds("from {} import {}\n".format, st.sampled_from([".", ".a", ".b", "pkg", "pkg.sub.c", "main"]), NAMES),
    st.builds("import {}\n".format, st.sampled_from(["pkg", "pkg.a", "main", "os"])),
    st.builds("from {} import *\n".format, st.sampled_from([".a", "pkg.b", "unknown"])),
    st.builds("import {{ {} }} from './{}'\n".format, NAMES, st.sampled_from(["a", "index"])),
    st.builds("def {}():\n    {}()\n    pkg.{}()\n".format, NAMES, NAMES, NAMES),
    st.builds("function {}() {{ {}() }}\n".format, NAMES, NAMES),
    st.builds(
        "class {}({}):\n    def run(self):\n        self.{}()\n        {}()\n".format, NAMES, NAMES, NAMES, NAMES
    ),
    st.builds("{} = 1\n".format, NAMES),
    st.sampled_from(["def (:\n", "\n", "# only words here\n", "'''\n", "}\n"]),
)
TEXTS = st.lists(STATEMENTS, max_size=6).map("".join)
CONTENTS = st.one_of(TEXTS.map(str.encode), st.sampled_from([b"", b"\0", b"\xff", b"x = 1"]))


class FollowedTree(RuleBasedStateMachine):
    """Files on disk, changed in every way that an editor or a checkout changes them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name) / "tree"
        self.root.mkdir()
        self.cache = Path(self.folder.name) / "cache.parquet"
        self.index = CodeIndex(WorkTree(self.root), self.cache)

    def there(self, path: str) -> Path:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        return self.root / path

    @initialize(files=st.dictionaries(PATHS, TEXTS, min_size=3))
    def begin(self, files: dict[str, str]) -> None:
        for path, text in files.items():
            self.there(path).write_text(text)

    @rule(path=PATHS, content=CONTENTS)
    def write(self, path: str, content: bytes) -> None:
        self.there(path).write_bytes(content)

    @rule(path=PATHS, statement=STATEMENTS)
    def append(self, path: str, statement: str) -> None:
        with self.there(path).open("a") as file:
            file.write(statement)

    @rule(path=PATHS, name=NAMES)
    def change_without_a_trace(self, path: str, name: str) -> None:
        """Of the same length, with the same time of change."""
        file = self.there(path)
        if file.exists() and (content := file.read_bytes()).startswith(b"def "):
            times = file.stat()
            file.write_bytes(content[:4] + name[:1].encode() + content[5:])
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        self.there(path).unlink(missing_ok=True)

    @rule(path=PATHS)
    def touch(self, path: str) -> None:
        if self.there(path).exists():
            os.utime(self.there(path))

    @rule(path=PATHS, other=PATHS)
    def rename(self, path: str, other: str) -> None:
        if self.there(path).exists():
            self.there(path).replace(self.there(other))

    @rule(path=PATHS, other=PATHS)
    def swap(self, path: str, other: str) -> None:
        if path != other and self.there(path).exists() and self.there(other).exists():
            aside = self.root / "aside"
            self.there(path).replace(aside)
            self.there(other).replace(self.there(path))
            aside.replace(self.there(other))

    @rule()
    def update_with_edges(self) -> None:
        """Edges that are asked for are remembered."""
        graph = self.index.update()
        assert graph.imports.shape == (graph.n_files, graph.n_files)

    @rule()
    def start_again_from_the_cache(self) -> None:
        self.index.update()
        self.index.save()
        self.index = CodeIndex(WorkTree(self.root), self.cache)

    @rule()
    def compare(self) -> None:
        assert_same_graph(self.index.update(), CodeIndex(WorkTree(self.root)).update())

    def teardown(self) -> None:
        assert_same_graph(self.index.update(), CodeIndex(WorkTree(self.root)).update())
        self.folder.cleanup()


def test_an_index_that_followed_is_a_fresh_one() -> None:
    run_state_machine_as_test(
        FollowedTree,
        settings=settings(max_examples=30, stateful_step_count=20, deadline=None, derandomize=True),
    )


STATES = {
    "main.py": [
        "from pkg.a import f, Box\ndef main():\n    f()\nclass Own(Box):\n    def own(self):\n        self.run()\n",
        "import pkg.a\ndef main():\n    pkg.a.f()\n    pkg.a.Box()\n",
    ],
    "pkg/a.py": [
        "from pkg.b import f, Box\ndef g():\n    f()\n",
        "from pkg.b import f\ndef g():\n    f()\n",
        "def g():\n    from pkg.b import f, Box\n    f()\n",
        "def f():\n    pass\nclass Box:\n    def run(self):\n        f()\n",
    ],
    "pkg/b.py": [
        "def f():\n    pass\nclass Base:\n    def run(self):\n        pass\nclass Box(Base):\n    pass\n",
        "def f():\n    pass\nclass Base:\n    def run(self):\n        pass\nclass Box(unknown):\n    pass\n",
        "def f():\n    pass\ndef Base():\n    def run(self):\n        pass\nclass Box(Base):\n    pass\n",
        "def f():\n    pass\n\ndef between():\n    pass\nclass Box:\n    def run(self):\n        f()\n",
    ],
    "pkg/c.py": ["", "def f():\n    pass\n"],
}
"""Files that call each other, each in states that differ in one thing that others see, or in none."""


class Replaced:
    """A tree whose files are replaced all at once."""

    def __init__(self) -> None:
        self.now = MemoryTree({})

    def list(self) -> Listing:
        return self.now.list()

    def read(self, path: str) -> bytes:
        return self.now.read(path)


def test_edges_follow_every_change_of_one_file() -> None:
    trees = [dict(zip(STATES, texts, strict=True)) for texts in product(*STATES.values())]
    fresh = {tuple(files.values()): CodeIndex(MemoryTree(files)).update() for files in trees}
    tree = Replaced()
    index = CodeIndex(tree)
    for files in trees:
        for path, texts in STATES.items():
            for text in texts:
                tree.now = MemoryTree(files)
                assert index.update().calls.nnz >= 0, "remembers the edges of this state"
                changed = {**files, path: text}
                tree.now = MemoryTree(changed)
                assert_same_graph(index.update(), fresh[tuple(changed.values())])


def test_edges_follow_a_file_to_another_path() -> None:
    """One that comes at the same place among all paths."""
    files = {path: texts[0] for path, texts in STATES.items()}
    tree = Replaced()
    index = CodeIndex(tree)
    for path in STATES:
        renamed = path.replace(".py", "_.py")
        tree.now = MemoryTree(files)
        assert index.update().calls.nnz
        tree.now = MemoryTree({renamed if other == path else other: text for other, text in files.items()})
        assert_same_graph(index.update(), CodeIndex(tree.now).update())
