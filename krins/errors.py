"""Every error that krins raises, and the one place where a foreign failure gets its name.

    KrinsError                 exit 1
    ├── Interrupted            exit 130: the user stopped it
    ├── UserError              exit 2: the user can mend it
    │   ├── SuiteError             a suite file that cannot be read or understood
    │   ├── TableError             an outcome table with wrong columns or values
    │   ├── TaskError              a task folder that is incomplete or wrong
    │   ├── RunError               a run that does not exist or cannot be resumed
    │   └── SandboxMissing         no sandbox on this machine, and no leave to go without
    ├── ModelFault             a model server is out of reach or does not speak its protocol
    ├── SandboxFault           the sandbox itself failed (not the code inside it)
    ├── WorkerFault            an actor or the cluster died and did not come back
    ├── StorageFault           disk full, read-only directory, unreadable journal
    └── TrackingFault          the tracking server did not take the run

Invariants: a message says what is wrong and where; `remedy` says what to do. An error survives pickling,
so it crosses a process boundary whole. A wrong answer is no error: failures of a task are rows
(`krins.domain.Failure`), and only what stops a command is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class KrinsError(Exception):
    """What is wrong, and what to do about it."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


class Interrupted(KrinsError):
    """The user stopped a run; the message says how to go on with it."""

    exit_code = 130


class UserError(KrinsError):
    """Something that the user asked for cannot be had as asked."""

    exit_code = 2


class SuiteError(UserError):
    """A suite file cannot be read or understood; the message names file and line."""


class TableError(UserError):
    """An outcome table has wrong columns or values; the message names the rows."""


class TaskError(UserError):
    """A task folder is incomplete or wrong; the message names the file."""


class RunError(UserError):
    """A run does not exist, is in use, or cannot be resumed."""


class SandboxMissing(UserError):
    """This machine has no sandbox and the user has not allowed going without."""


class ModelFault(KrinsError):
    """A model server is out of reach or does not speak its protocol."""


class SandboxFault(KrinsError):
    """The sandbox itself failed, as opposed to the code that ran in it."""


class WorkerFault(KrinsError):
    """An actor or the cluster died and did not come back."""


class StorageFault(KrinsError):
    """A file could not be written or read: full disk, read-only directory, damage."""


class TrackingFault(KrinsError):
    """The tracking server did not take the run; the journal still holds it."""


@contextmanager
def boundary(
    error: type[KrinsError],
    what: str,
    remedy: str = "",
    *,
    catch: type[Exception] | tuple[type[Exception], ...] = Exception,
) -> Iterator[None]:
    """Attribute any foreign failure inside the block to `error`, keeping its own words.

    Errors that are already ours pass unchanged: whoever raised them knew more.
    """
    try:
        yield
    except KrinsError:
        raise
    except catch as failure:
        detail = " ".join(str(failure).split())[:500] or type(failure).__name__
        raise error(f"{what}: {detail}", remedy) from failure
