"""Git as patches use it: on files in a folder of its own, in no repository.

Invariants: no settings of the user, the system or a repository, no attributes, no hooks and no helpers have a say, and
what names files there is not the paths of an answer. Left out: everything that needs a repository.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from krins.context.git import GitMissing
from krins.errors import StorageFault

_SUCCESS = range(128)
"""`git diff` tells by 1 that there are differences, `git merge-file` by up to 127 how many conflicts there are."""


def git(folder: Path, *arguments: str) -> bytes:
    """What git prints, run in `folder`.

    Raises:
        GitMissing: there is none.
        StorageFault: it failed.
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent),
    }
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True)
    except FileNotFoundError:
        raise GitMissing("git is not on the PATH", "install git") from None
    if done.returncode not in _SUCCESS:
        words = " ".join(done.stderr.decode(errors="replace").split())
        raise StorageFault(f"git {arguments[0]}: {words[:500]}", "look whether the disk is full")
    return done.stdout
