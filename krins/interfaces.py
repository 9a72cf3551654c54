"""Every seam of krins, each one a Protocol: implement one and the rest works with it unchanged.

| seam | what varies behind it |
|---|---|
| `Environment` | where outcomes come from: a recorded table, or live models and a sandbox |
| `Policy` | how a router chooses and learns |
| `Model` | who answers a prompt |
| `Verifier` | who says whether an answer is right |
| `Sandbox` | what keeps untrusted code in |
| `Clock` | time |

Invariant: there is one seam for each source of nondeterminism, so a test stands in for any of them without patching.
Left out: any implementation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from krins.domain import Arm, Attempt, Outcome, Task, Verdict

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

State = TypeVar("State")


class Environment(Protocol):
    """Where outcomes come from. The same (task, arm, sample) is the same experiment whoever asks."""

    @property
    def tasks(self) -> Sequence[Task]: ...

    @property
    def arms(self) -> Sequence[Arm]: ...

    async def attempt(self, task: Task, arm: Arm, sample: int) -> Outcome:
        """Give the task to the arm. A failure of the arm is in the outcome; only a broken environment raises."""
        ...


class Context(NamedTuple):
    """What a policy may look at beside its own state."""

    pending: IntArray
    """Shape (n_replications, n_arms): choices made in this round whose rewards have not come back yet."""


class Choice(NamedTuple):
    """Arms chosen by all replications for their next task."""

    arms: IntArray
    """Shape (n_replications,)."""
    probabilities: FloatArray | None
    """Shape (n_replications,): the probability with which each arm was chosen; None where it takes `propensities`."""


class Policy(Protocol[State]):
    """Pure functions over an array state whose leading axis is independent replications.

    One replication is a live router, a thousand are a simulation: the same maths runs both. No method changes its
    arguments. Ties go to the lowest index; whoever runs a policy shuffles the arms once for each replication.
    """

    @property
    def params(self) -> Mapping[str, Any]:
        """Hyper-parameters, as they stand in result tables."""
        ...

    def init(self, n_arms: int, n_replications: int) -> State: ...

    def choose(self, state: State, context: Context, rng: np.random.Generator) -> Choice: ...

    def update(self, state: State, arms: IntArray, rewards: FloatArray, observed: BoolArray | None = None) -> State:
        """Learn one reward in each replication, all shapes (n_replications,); nothing where `observed` is False."""
        ...

    def propensities(self, state: State, context: Context) -> FloatArray:
        """Shape (n_replications, n_arms): the probability of each arm at the next choice. Rows sum to one."""
        ...


class Model(Protocol):
    """Who answers a prompt."""

    async def answer(self, prompt: str, sample: int) -> Attempt:
        """Answer once. `sample` tells repeated answers to one prompt apart (it seeds the provider where it can).

        Raises:
            ModelFault: the server is out of reach, timed out, or its answer does not follow its protocol.
        """
        ...


class Verifier(Protocol):
    """Who says whether an answer is right. Blocking: callers run it in a thread."""

    def verify(self, code: str, tests: str) -> Verdict:
        """Run `tests` against `code`.

        Raises:
            SandboxFault: the check could not be made; says nothing about the code.
        """
        ...


class Limits(NamedTuple):
    """What a sandboxed process may use; past any of them it is killed."""

    wall_seconds: float = 10.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * 2**20
    """Address space of each process."""
    processes: int = 16
    """Processes and threads together, of this sandbox alone."""
    output_bytes: int = 8 * 2**20
    """What is read from a process before it is killed, and the largest file it may write."""
    disk_bytes: int = 64 * 2**20
    """Size of its private, in-memory /tmp."""


class SandboxedProcess(Protocol):
    """A running sandboxed process. Closing it kills everything that it started."""

    @property
    def stdin(self) -> IO[bytes]: ...

    @property
    def stdout(self) -> IO[bytes]: ...

    def stderr_tail(self) -> str:
        """The last few KiB of standard error, decoded leniently."""
        ...

    def wait(self, timeout_seconds: float) -> int | None:
        """Exit code, or None if it is still running after the timeout."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Sandbox(Protocol):
    """What keeps untrusted code in."""

    @property
    def name(self) -> str: ...

    def start(self, command: Sequence[str], files: Mapping[str, str], limits: Limits) -> SandboxedProcess:
        """Start `command` in a fresh sandbox whose read-only working directory holds `files` (name to content).

        Raises:
            SandboxFault: the sandbox could not be set up.
        """
        ...


class Clock(Protocol):
    """Time, injected wherever it matters, so that tests need not wait."""

    def now_seconds(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic_seconds(self) -> float: ...


__all__ = [
    "BoolArray",
    "Choice",
    "Clock",
    "Context",
    "Environment",
    "FloatArray",
    "IntArray",
    "Limits",
    "Model",
    "Policy",
    "Sandbox",
    "SandboxedProcess",
    "Verifier",
]
