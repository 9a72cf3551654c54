"""Every error that krins raises, and the one place where a foreign failure gets its name.

    KrinsError                 exit 1
    ├── Interrupted            exit 130: the user stopped it
    ├── UserError              exit 2: the user can mend it
    │   ├── SuiteError             a suite file that cannot be read or understood
    │   ├── TableError             an outcome table with wrong columns or values
    │   ├── TaskError              a task folder that is incomplete or wrong
    │   ├── RunError               a run that does not exist or cannot be resumed
    │   ├── ContextError           a source tree, commit, symbol, budget or CODEOWNERS file that cannot be had or read
    │   ├── RegistryError          a registered router that does not exist, or is not the one that was asked for
    │   ├── StateError             a router's state that cannot be kept, or read, or is of another router
    │   └── SandboxMissing         no sandbox on this machine, and no leave to go without
    ├── BudgetExhausted        exit 3: a limit on spending leaves no room for the next call
    ├── ModelFault             no usable answer of a model was had
    │   ├── ProviderFault          because of the provider, or of the way to it: infrastructure
    │   │   ├── RateLimited            429
    │   │   ├── Overloaded             5xx, 529, or the provider's word for it in mid-stream
    │   │   ├── Unreachable            refused, reset, no such host: nothing was sent
    │   │   ├── TimedOut               to connect, to the first token, in mid-stream, or in all
    │   │   │   └── OutOfTime              no turn to call before the question's time was over: nothing was sent
    │   │   ├── BrokenReply            cut off, not the protocol, or without its final event
    │   │   ├── AuthRefused            401, 402, 403
    │   │   ├── BadRequest             any other 4xx: the request is wrong for this provider
    │   │   └── CircuitOpen            not asked: its circuit breaker is open
    │   └── AnswerFault            because of the model: it answered, and the answer is none
    │       ├── Refused                declined, or stopped by a safety filter
    │       ├── EmptyAnswer            no text at all
    │       ├── InvalidAnswer          a structured answer that is not of the type asked for
    │       ├── NoPatch                no change in it, or one that changes nothing
    │       ├── PatchFailed            a change that cannot be read, is cut off, or does not apply
    │       ├── PatchRefused           a change of what it must leave alone
    │       └── TooLong                the prompt does not fit its context window
    ├── SandboxFault           the sandbox itself failed (not the code inside it)
    ├── GateFault              a quality gate could not look: its tool is missing or broke
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
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from krins.domain import Call, Usage


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


class ContextError(UserError):
    """A source tree, commit, symbol or budget that context cannot be made from; the message names it."""


class StateError(UserError):
    """A router's state cannot be kept, cannot be read, or is that of another router."""


class RegistryError(UserError):
    """A registered router does not exist, or is not the one that was asked for."""


class SandboxMissing(UserError):
    """This machine has no sandbox and the user has not allowed going without."""


class BudgetExhausted(KrinsError):
    """A limit on spending leaves no room for the next call. `calls` is what had been called by then."""

    exit_code = 3
    calls: tuple[Call, ...] = ()


class ModelFault(KrinsError):
    """No usable answer of a model was had.

    The class says what a caller may do about it; the attributes say what is known of the bill.
    """

    is_retryable: ClassVar[bool] = False
    """Whether the same request may go better on the same provider a little later."""
    trips_breaker: ClassVar[bool] = False
    """Whether it counts as a failure of the provider to its circuit breaker."""

    may_be_billed: bool = False
    """Whether the provider may charge for the call."""
    usage: Usage | None = None
    """What the provider says it charges for; None where it told nothing."""
    retry_after_seconds: float | None = None
    """What the provider asked to wait."""
    request_id: str | None = None
    calls: tuple[Call, ...] = ()
    """Everything that was called before this was raised, set once it leaves the layers around a call."""


class ProviderFault(ModelFault):
    """The provider, or the way to it, failed; says nothing about the model."""


class RateLimited(ProviderFault):
    """Too many requests or tokens for now (429)."""

    is_retryable = True


class Overloaded(ProviderFault):
    """The provider is overloaded or out of order (5xx, 529)."""

    is_retryable = True
    trips_breaker = True


class Unreachable(ProviderFault):
    """No connection was made: nothing was sent, nothing is billed."""

    is_retryable = True
    trips_breaker = True


class TimedOut(ProviderFault):
    """A limit of time passed."""

    is_retryable = True
    trips_breaker = True


class OutOfTime(TimedOut):
    """The question's time was over, or would be, before its turn came: nothing was sent, so nothing is billed."""

    is_retryable = False
    trips_breaker = False


class BrokenReply(ProviderFault):
    """The reply was cut off, is not of the provider's protocol, or lacks its final event."""

    is_retryable = True
    trips_breaker = True
    may_be_billed = True


class AuthRefused(ProviderFault):
    """The key is missing, wrong, without credit or without rights."""

    trips_breaker = True


class BadRequest(ProviderFault):
    """The provider does not take the request as it is."""


class CircuitOpen(ProviderFault):
    """The provider failed so often that it is left alone for a while; nothing was sent."""


class AnswerFault(ModelFault):
    """The model answered, and there is nothing in the answer to use. Asking it the same again is no remedy."""

    may_be_billed = True


class Refused(AnswerFault):
    """The model declined, or a safety filter stopped it."""


class EmptyAnswer(AnswerFault):
    """The answer holds no text."""


class InvalidAnswer(AnswerFault):
    """A structured answer is not of the type that was asked for."""


class NoPatch(AnswerFault):
    """The answer holds no change of a source tree, or one that changes nothing."""


class PatchFailed(AnswerFault):
    """The answer's change cannot be read, is cut off, or does not apply; the message names file and hunk."""


class PatchRefused(AnswerFault):
    """The answer's change is of paths that it must leave alone, or too large; the message names path and reason."""


class TooLong(AnswerFault):
    """The prompt does not fit the model's context window; nothing is billed."""

    may_be_billed = False


class SandboxFault(KrinsError):
    """The sandbox itself failed, as opposed to the code that ran in it."""


class GateFault(KrinsError):
    """A quality gate could not look at a change, because its tool is missing or broke."""


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
