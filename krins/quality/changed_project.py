"""What a hidden test is given of a candidate's tree: its texts to read, its modules to call, its programs to run.

Invariants: texts are read here, in the tests' sandbox, out of what was carried in, so that the candidate's own code
cannot tell another story about them; modules and programs run in the candidate's sandbox, and what comes back is data.
Left out: parsing texts; a test may import `yaml` and `markdown_it` for that (`krins.quality.hidden_tests`).

This file is sent into sandboxes as text: standard library alone, Python 3.9 or newer.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` is not imported, to start fast; type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from krins.quality import remote_object


class Ran:
    """What came of a program."""

    def __init__(self, exit_code: int, stdout: str, stderr: str, files: Mapping[str, str | None]) -> None:
        self.exit_code, self.stdout, self.stderr, self.files = exit_code, stdout, stderr, files

    def __repr__(self) -> str:
        return f"exit code {self.exit_code}, output {self.stdout[-200:]!r}, errors {self.stderr[-200:]!r}"


class Project:
    """The changed tree."""

    def __init__(self, link: remote_object.Link, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        self._link = link
        self.texts = dict(after)
        """Path to text."""
        self.before = dict(before)
        """The same of the unchanged tree."""

    def module(self, name: str) -> object:
        """A module of the tree, imported in the candidate's sandbox; raises what importing it raised."""
        return self._link.load(name)

    def run(
        self, *command: str, stdin: str = "", files: Mapping[str, str] | None = None, keep: Sequence[str] = ()
    ) -> Ran:
        """Run a program (`python`, `node`, `sh` ...) in a fresh copy of the tree, to which `files` are added.

        `keep` names files whose text is wanted afterwards; None stands for one that is not there. Give a program what
        it is to work on, never what is expected of it: it runs beside the candidate's code.
        """
        answer = self._link.ask("run", list(command), stdin, dict(files or {}), list(keep))
        if type(answer) is list and [type(part) for part in answer] == [int, str, str, dict]:
            exit_code, stdout, stderr, kept = answer
            if kept.keys() <= set(keep) and all(type(text) in (str, type(None)) for text in kept.values()):
                return Ran(exit_code, stdout, stderr, kept)
        raise self._link.failed("its answer does not follow the protocol")
