"""The ranking of aider's own repo map, asked of an aider that is installed elsewhere.

`AiderMap` keeps a work tree of the repository at the commit in question, and a process of the other python that runs
this file: it reads one request a line (root, files, words of the task) and answers with the files in the order of
aider's ranked tags. Aider asks for exact words, as its chat does: the task's words, split at what is no letter, digit
or underscore. Left out: aider's choice of how much of its map to show.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from commits import Case


class AiderMap:
    def __init__(self, repository: Path, python: Path) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._root = Path(self._folder.name) / "tree"
        subprocess.run(["git", "clone", "-qs", "--no-checkout", repository.resolve(), self._root], check=True)
        self._process = subprocess.Popen(
            [python, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def close(self) -> None:
        with self._process as process:
            process.kill()
        self._folder.cleanup()

    def order(self, case: Case) -> list[int]:
        """Files of the case's graph, best first; those that aider does not rank are missing."""
        git = ["git", "-C", str(self._root)]
        subprocess.run([*git, "checkout", "-qf", f"{case.commit}^"], check=True)
        request = {
            "root": str(self._root),
            "files": case.graph.paths,
            "words": sorted(set(re.split(r"\W+", case.task))),
        }
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(json.dumps(request), file=stdin, flush=True)
        paths = json.loads(stdout.readline())
        return [case.graph.file_ids[path] for path in paths if path in case.graph.file_ids]


def serve() -> None:
    from aider.io import InputOutput
    from aider.models import Model
    from aider.repomap import RepoMap

    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        root = request["root"]
        repo_map = RepoMap(root=root, main_model=Model("gpt-4o"), io=InputOutput(yes=True, pretty=False))
        files = [f"{root}/{path}" for path in request["files"]]
        tags = repo_map.get_ranked_tags([], files, set(), set(request["words"]))
        print(json.dumps(list(dict.fromkeys(tag[0] for tag in tags))), file=answers, flush=True)


if __name__ == "__main__":
    serve()
