"""What git remembers of a tree: which files changed together, when, and with which words.

Invariants: commits come newest first, merges left out; nothing of it depends on dates, only on their order. Where there
is no repository the history is empty, and ranking goes without it. Left out: contents of commits, renames.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from krins.context import git

MAX_COMMITS = 1000
"""What lies further back tells little of what changes next."""


class Change(NamedTuple):
    """A commit, as far as ranking looks at it."""

    message: str
    paths: tuple[str, ...]


def read_history(folder: Path, commit: str = "HEAD", n_commits: int = MAX_COMMITS) -> Sequence[Change]:
    """The last commits up to `commit`, with paths relative to `folder`; empty without git, repository or commits.

    Raises:
        ContextError: there is no such commit, or git fails.
    """
    try:
        if commit == "HEAD" and not git.has_commits(folder):
            return ()
        name = git.commit_name(folder, commit)
    except (git.GitMissing, git.NoRepository):
        return ()
    return [Change(message, paths) for message, paths in git.log(folder, name, n_commits)]


__all__ = ["MAX_COMMITS", "Change", "read_history"]
