"""Edits since a commit: how a folder's files differ from it, as they are on disk now.

Invariant: whatever git says has changed is an edit, be it of a mode, a link or a submodule. Left out: renames, which
are a deleted and a new file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from krins.context import git
from krins.context.edits import Edit
from krins.errors import ContextError


def edits_since(folder: Path, commit: str) -> Sequence[Edit]:
    """Edits of the files below `folder` since a commit, those that git does not know yet among them; sorted.

    Raises:
        ContextError: git is not installed, there is no repository, or no such commit in it; or a file that
            changed cannot be read.
    """
    name = git.commit_name(folder, commit)
    blobs = {file.name: file.blob for file in git.committed(folder, name) if file.mode != git.SUBMODULE}
    options = ("--name-only", "--no-renames", "--relative", "--no-ext-diff", "-z")
    changed = {*git._rows(folder, "diff", *options, name, "--", "."), *git.untracked(folder, "--exclude=.krins/")}
    contents = git.Blobs(folder)
    return [
        Edit(
            os.fsdecode(path),
            contents.content(blobs[path]) if path in blobs else None,
            _content(folder / os.fsdecode(path)),
        )
        for path in sorted(changed)
    ]


def _content(path: Path) -> bytes | None:
    """What is on disk; None where there is no file."""
    try:
        if path.is_symlink():
            return os.fsencode(path.readlink())
        return path.read_bytes() if path.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise ContextError(f"{path}: cannot be read: {failure}", "make it readable, or have git ignore it") from failure


__all__ = ["edits_since"]
