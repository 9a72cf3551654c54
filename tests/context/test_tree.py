"""What trees list, what they pass over and why, and what they read: on disk, in git, in memory."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krins.context.tree import MAX_BYTES, GitTree, Listing, MemoryTree, Tree, Unreadable, WorkTree, blob_digest
from krins.errors import ContextError


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def repository(root: Path, files: Mapping[str, str | bytes]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "--quiet")
    commit(write(root, files))
    return root


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "x")


def contents(tree: Tree) -> dict[str, bytes]:
    return {path: tree.read(path) for path in tree.list().entries}


def paths(listing: Listing) -> list[str]:
    return list(listing.entries)


def test_digest_is_git_s(tmp_path: Path) -> None:
    # `git hash-object` of the empty file and of "hello\n", as in any book on git.
    assert blob_digest(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_digest(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    (tmp_path / "x").write_bytes(b"a\r\nb\0")
    assert blob_digest(b"a\r\nb\0") == git(tmp_path, "hash-object", "--no-filters", "x")


@pytest.mark.parametrize("in_git", [True, False])
def test_work_tree_lists_files_with_a_grammar(tmp_path: Path, in_git: bool) -> None:
    files: dict[str, str | bytes] = {
        "b.py": "b = 1\n",
        "a/x.go": "package a\n",
        "a/é ü\n.py": "",
        "README": "text",
        "a/data.bin": b"\0",
    }
    root = repository(tmp_path, files) if in_git else write(tmp_path, files)
    listing = WorkTree(root).list()
    assert paths(listing) == ["a/x.go", "a/é ü\n.py", "b.py"]
    assert listing.skipped == {"no grammar": 2}
    assert [entry.size for entry in listing.entries.values()] == [10, 0, 6]
    assert contents(WorkTree(root)) == {"a/x.go": b"package a\n", "a/é ü\n.py": b"", "b.py": b"b = 1\n"}


def test_git_decides_what_belongs_to_a_work_tree(tmp_path: Path) -> None:
    root = repository(
        tmp_path, {"kept.py": "", "gone.py": "", "ignored/forced.py": "", ".gitignore": "ignored/\n*.gen.py\n"}
    )
    git(root, "add", "--force", "ignored/forced.py")
    write(root, {"new.py": "", "x.gen.py": "", "ignored/other.py": "", ".krins/run.py": "", "build/made.py": ""})
    (root / "gone.py").unlink()
    assert paths(WorkTree(root).list()) == ["build/made.py", "ignored/forced.py", "kept.py", "new.py"]


def test_subfolder_of_a_repository_is_a_tree_of_its_own(tmp_path: Path) -> None:
    root = repository(tmp_path, {"top.py": "", "pkg/a.py": "a", "pkg/sub/b.py": "b"})
    write(root, {"pkg/new.py": "n"})
    assert contents(WorkTree(root / "pkg")) == {"a.py": b"a", "new.py": b"n", "sub/b.py": b"b"}
    assert contents(GitTree(root / "pkg", "HEAD")) == {"a.py": b"a", "sub/b.py": b"b"}


def test_folder_that_git_ignores_is_walked(tmp_path: Path) -> None:
    root = repository(tmp_path, {".gitignore": "scratch/\n", "a.py": ""})
    write(root, {"scratch/task/x.py": "", "scratch/task/node_modules/y.js": ""})
    assert paths(WorkTree(root / "scratch/task").list()) == ["x.py"]


def test_walk_leaves_out_what_tools_and_builds_leave(tmp_path: Path) -> None:
    junk = [".git", ".venv", "venv", "node_modules", "__pycache__", ".krins", "dist", "build", "target", ".tox"]
    write(tmp_path, {f"pkg/{folder}/x.py": "" for folder in junk} | {"pkg/x.py": "", ".hidden.py": ""})
    assert paths(WorkTree(tmp_path).list()) == [".hidden.py", "pkg/x.py"]


@pytest.mark.parametrize("in_git", [True, False])
def test_links_are_counted_and_never_followed(tmp_path: Path, in_git: bool) -> None:
    write(tmp_path / "outside", {"secret.py": "", "more/x.py": ""})
    files = {"a.py": "", "pkg/b.py": ""}
    root = repository(tmp_path / "r", files) if in_git else write(tmp_path / "r", files)
    (root / "linked.py").symlink_to(tmp_path / "outside/secret.py")
    (root / "dangling.py").symlink_to("nowhere.py")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "pkg/loop.py").symlink_to("loop.py")
    if in_git:
        git(root, "add", "loop")
    listing = WorkTree(root).list()
    assert paths(listing) == ["a.py", "pkg/b.py"]
    assert listing.skipped == {"symbolic link": 4}


def test_tracked_file_behind_a_link_is_not_followed(tmp_path: Path) -> None:
    """As when a folder is replaced by a link: git's index still has the file."""
    root = repository(tmp_path / "r", {"pkg/deep/a.py": "", "b.py": ""})
    (root / "pkg").rename(tmp_path / "moved")
    (root / "pkg").symlink_to(tmp_path / "moved", target_is_directory=True)
    listing = WorkTree(root).list()
    assert paths(listing) == ["b.py"]
    assert listing.skipped["symbolic link"] == 1


def test_submodules_and_inner_repositories_are_counted(tmp_path: Path) -> None:
    inner = repository(tmp_path / "inner", {"i.py": ""})
    root = repository(tmp_path / "r", {"a.py": ""})
    git(root, "submodule", "--quiet", "add", str(inner), "vendored.py")
    commit(root)
    repository(root / "nested", {"n.py": ""})
    listing = WorkTree(root).list()
    assert paths(listing) == ["a.py"]
    assert listing.skipped == {"no grammar": 1, "submodule": 2}
    assert GitTree(root, "HEAD").list().skipped == {"no grammar": 1, "submodule": 1}


def test_conflict_counts_a_file_once(tmp_path: Path) -> None:
    root = repository(tmp_path, {"a.py": "0\n", "a.txt": "0\n"})
    git(root, "checkout", "--quiet", "-b", "other")
    commit(write(root, {"a.py": "1\n", "a.txt": "1\n"}))
    git(root, "checkout", "--quiet", "-")
    commit(write(root, {"a.py": "2\n", "a.txt": "2\n"}))
    with pytest.raises(subprocess.CalledProcessError):
        git(root, "merge", "other")
    listing = WorkTree(root).list()
    assert paths(listing) == ["a.py"]
    assert listing.skipped == {"no grammar": 1}


@pytest.mark.parametrize("in_git", [True, False])
def test_large_files_and_odd_ones_are_counted(tmp_path: Path, in_git: bool) -> None:
    files: dict[str, str | bytes] = {"exact.py": b"#" * MAX_BYTES, "over.py": b"#" * (MAX_BYTES + 1)}
    root = repository(tmp_path, files) if in_git else write(tmp_path, files)
    with (root / "huge.py").open("wb") as huge:
        huge.truncate(50_000_000)
    os.mkfifo(root / "pipe.py")
    listing = WorkTree(root).list()
    assert paths(listing) == ["exact.py"]
    # Git does not know of pipes.
    assert listing.skipped == {"larger than 1 MiB": 2} | ({} if in_git else {"not a regular file": 1})
    assert len(WorkTree(root).read("exact.py")) == MAX_BYTES
    if in_git:
        assert GitTree(root, "HEAD").list().skipped == {"larger than 1 MiB": 1}


@pytest.mark.parametrize("in_git", [True, False])
def test_names_that_are_not_utf_8_are_counted(tmp_path: Path, in_git: bool) -> None:
    root = repository(tmp_path, {"a.py": ""}) if in_git else write(tmp_path, {"a.py": ""})
    Path(os.fsdecode(bytes(root) + b"/caf\xe9.py")).touch()
    listing = WorkTree(root).list()
    assert paths(listing) == ["a.py"]
    assert listing.skipped == {"name not UTF-8": 1}
    if in_git:
        commit(root)
        assert GitTree(root, "HEAD").list().skipped == {"name not UTF-8": 1}


UNREADABLE: dict[str, bytes] = {
    "binary": b"x = 1\n\0",
    "not UTF-8": b"name = 'caf\xe9'\n",
}


@pytest.mark.parametrize("reason", UNREADABLE)
def test_what_is_no_text_is_told_when_it_is_read(tmp_path: Path, reason: str) -> None:
    root = repository(tmp_path, {"x.py": UNREADABLE[reason], "y.py": ""})
    trees: list[Tree] = [WorkTree(root), GitTree(root, "HEAD"), MemoryTree({"x.py": UNREADABLE[reason], "y.py": ""})]
    for tree in trees:
        assert paths(tree.list()) == ["x.py", "y.py"]
        with pytest.raises(Unreadable, match=f"x.py: {reason}") as caught:
            tree.read("x.py")
        assert caught.value.reason == reason
        assert tree.read("y.py") == b""
    assert pickle.loads(pickle.dumps(caught.value)).reason == reason


def test_nul_far_into_a_file_is_text() -> None:
    content = b"#" * 8192 + b"\0"
    assert MemoryTree({"a.py": content}).read("a.py") == content
    with pytest.raises(Unreadable):
        MemoryTree({"a.py": content[1:]}).read("a.py")


def test_file_that_has_gone_or_grown_since_it_was_listed(tmp_path: Path) -> None:
    tree = WorkTree(write(tmp_path, {"pkg/a.py": "", "b.py": "", "c.py": ""}))
    tree.list()
    (tmp_path / "b.py").unlink()
    (tmp_path / "c.py").unlink()
    (tmp_path / "c.py").mkdir()
    write(tmp_path, {"pkg/a.py": b"#" * (MAX_BYTES + 1)})
    reasons = {"pkg/a.py": "larger than 1 MiB", "b.py": "vanished", "c.py": "unreadable", "b.py/d.py": "vanished"}
    for path, reason in reasons.items():
        with pytest.raises(Unreadable) as caught:
            tree.read(path)
        assert caught.value.reason == reason


def test_permissions(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    write(tmp_path, {"a.py": "", "closed/b.py": "", "c.py": ""})
    (tmp_path / "a.py").chmod(0)
    (tmp_path / "closed").chmod(0)
    try:
        listing = WorkTree(tmp_path).list()
        assert (paths(listing), listing.skipped) == (["a.py", "c.py"], {"unreadable": 1})
        with pytest.raises(Unreadable, match="unreadable"):
            WorkTree(tmp_path).read("a.py")
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_no_such_folder(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": ""})
    for root in (tmp_path / "missing", tmp_path / "a.py"):
        with pytest.raises(ContextError, match="is not a folder"):
            WorkTree(root).list()


def test_empty_trees(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert WorkTree(tmp_path).list() == Listing({}, {})
    with pytest.raises(ContextError, match="no commit 'HEAD'"):
        GitTree(tmp_path, "HEAD")
    commit(tmp_path)
    assert GitTree(tmp_path, "HEAD").list() == Listing({}, {})
    assert MemoryTree({}).list() == Listing({}, {})


def test_git_tree_is_a_commit_whatever_happens_on_disk(tmp_path: Path) -> None:
    root = repository(tmp_path, {"a.py": "old\n", "pkg/b.py": "b\n"})
    first = GitTree(root, "HEAD")
    write(root, {"a.py": "new\n"})
    (root / "pkg/b.py").unlink()
    commit(root)
    assert contents(first) == {"a.py": b"old\n", "pkg/b.py": b"b\n"}
    assert contents(GitTree(root, "HEAD")) == {"a.py": b"new\n"}
    assert GitTree(root, "HEAD~1").commit == first.commit == git(root, "rev-parse", "HEAD~1")
    assert {path: entry.stamp for path, entry in first.list().entries.items()} == {
        path: blob_digest(content) for path, content in contents(first).items()
    }
    with pytest.raises(Unreadable, match="vanished"):
        first.read("c.py")


def test_git_tree_of_a_bare_repository(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"a.py": "a", "x/y.rb": "b"})
    git(tmp_path, "clone", "--quiet", "--bare", str(root), "bare.git")
    assert contents(GitTree(tmp_path / "bare.git", "HEAD")) == {"a.py": b"a", "x/y.rb": b"b"}
    # As a folder on disk it holds git's own files.
    assert WorkTree(tmp_path / "bare.git").list().entries == {}


@pytest.mark.parametrize("name", ["missing", "--all", "", "HEAD:a.py", "HEAD^{tree}"])
def test_git_tree_of_no_commit(tmp_path: Path, name: str) -> None:
    root = repository(tmp_path, {"a.py": ""})
    with pytest.raises(ContextError, match="no commit"):
        GitTree(root, name)


def test_git_tree_without_a_repository(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ContextError, match=r"not a git repository|No such file"):
            GitTree(folder, "HEAD")


def test_content_that_a_repository_lost(tmp_path: Path) -> None:
    root = repository(tmp_path, {"a.py": "a", "b.py": "b"})
    tree = GitTree(root, "HEAD")
    tree.list()
    name = blob_digest(b"a")
    (root / ".git/objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(ContextError, match="fsck"):
        tree.read("a.py")
    assert tree.read("b.py") == b"b"
    listing = GitTree(root, "HEAD").list()
    assert (paths(listing), listing.skipped) == (["b.py"], {"unreadable": 1})


def test_reading_of_a_commit_leaves_no_process(tmp_path: Path) -> None:
    root = repository(tmp_path, {"a.py": "a"})
    tree = GitTree(root, "HEAD")
    tree.read("a.py")
    process = tree._blobs._process
    assert process.poll() is None
    del tree
    gc.collect()
    assert process.returncode is not None


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path, {"a.py": "", ".gitignore": "b.py\n", "b.py": ""})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert paths(WorkTree(root).list()) == ["a.py", "b.py"]
    with pytest.raises(ContextError, match="git is not on the PATH"):
        GitTree(root, "HEAD")


def test_repository_that_git_cannot_read(tmp_path: Path) -> None:
    root = repository(tmp_path, {"a.py": ""})
    (root / ".git/index").write_bytes(b"no index at all, for sure")
    with pytest.raises(ContextError, match="index"):
        WorkTree(root).list()


def test_hook_s_environment_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path / "r", {"a.py": ""})
    monkeypatch.setenv("GIT_DIR", str(repository(tmp_path / "other", {"o.py": ""}) / ".git"))
    assert paths(WorkTree(root).list()) == ["a.py"]
    assert paths(GitTree(root, "HEAD").list()) == ["a.py"]


def test_stamps_tell_changes_of_the_same_size_at_once(tmp_path: Path) -> None:
    """Too quick for the file system's clock, and with the time of modification set back."""
    root = repository(tmp_path, {"a.py": "0", "b.py": "0"})
    tree = WorkTree(root)
    times = (root / "a.py").stat()
    for step in range(1, 30):
        before = tree.list().entries
        write(root, {"a.py": str(step % 10)})
        os.utime(root / "a.py", ns=(times.st_atime_ns, times.st_mtime_ns))
        assert tree.list().entries["a.py"].stamp != before["a.py"].stamp


def test_stamp_of_a_file_that_has_just_changed_is_of_one_listing_alone(tmp_path: Path) -> None:
    """Whether it changes again within the tick or not, which the file system would not tell."""
    tree = WorkTree(write(tmp_path, {"a.py": "0"}))
    assert tree.list().entries["a.py"].stamp != tree.list().entries["a.py"].stamp


def test_stamps_of_old_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = WorkTree(repository(tmp_path, {"a.py": "0", "b.py": "0"}))
    now = time.time_ns()
    monkeypatch.setattr("krins.context.tree.time.time_ns", lambda: now + 10_000_000_000)
    assert tree.list() == tree.list()
    first = tree.list().entries
    (tmp_path / "b.py").write_bytes(b"00")
    assert {path for path, entry in tree.list().entries.items() if entry != first[path]} == {"b.py"}


names = st.text(st.sampled_from("ab.é "), min_size=1, max_size=3).filter(lambda name: set(name) != {"."})
files = st.dictionaries(
    st.lists(names, max_size=2).map(lambda folders: "/".join([*folders, "x.py"])),
    st.text(st.sampled_from("a\n\té"), max_size=5),
    max_size=5,
)


@settings(max_examples=15, deadline=None)
@given(files=files)
def test_all_trees_agree(tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]) -> None:
    root = repository(tmp_path_factory.mktemp("r"), files)
    memory = MemoryTree(files)
    expected = {path: text.encode() for path, text in sorted(files.items())}
    for tree in (memory, WorkTree(root), GitTree(root, "HEAD")):
        assert list(contents(tree).items()) == list(expected.items())
    assert GitTree(root, "HEAD").list() == memory.list()
