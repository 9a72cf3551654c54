"""What do callers see of kills, floods, hostile requests, a full disk and upgrades: plain Ray Serve beside ours?

    python experiments/serving_faults.py [--case NAME ...]

Every case starts each of the two anew, breaks it in the same way under the same clients, and prints both; ours is held
against a target where it has one. Exit 1 if one is missed. Counts and ratios are comparable between machines, seconds
hardly: whatever is started again takes the longer, the busier the machine. Left out: how the two stand (`serving_rig`).
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

sys.path.insert(0, str(Path(__file__).parent))

import serving_hostile as hostile
import serving_state as state
from serving_clients import Sent, again, counts, failed_of, flood, load, longest_gap, p50, race
from serving_rig import Service, chat, executions, ours, plain, upstream, wait_until

REPLICA = "ray::ServeReplica"
Start = Callable[..., AbstractContextManager[Service]]


class Row(NamedTuple):
    """One line of the table."""

    what: str
    plain: str
    ours: str
    target: str = ""
    holds: bool | None = None
    """None: nothing is asked of it."""

    def __str__(self) -> str:
        verdict = {None: "", True: "ok", False: "MISS"}[self.holds]
        return f"| {self.what} | {self.plain} | {self.ours} | {self.target} | {verdict} |"


Case = Callable[[], Iterator[Row]]
CASES: dict[str, Case] = {}


def case(run: Case) -> Case:
    CASES[run.__name__.replace("_", "-")] = run
    return run


@click.command()
@click.option("--case", "names", multiple=True, help="All by default; repeatable.")
def main(names: tuple[str, ...]) -> None:
    """Break things, and print a table."""
    unknown = set(names) - set(CASES)
    if unknown:
        raise click.UsageError(f"there is no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    click.echo("| what | plain Ray Serve | krins | target | |\n" + "|---" * 5 + "|")
    missed = False
    for name in names or CASES:
        for row in CASES[name]():
            click.echo(str(row._replace(what=f"{name}: {row.what}")))
            missed |= row.holds is False
    sys.exit(1 if missed else 0)


@case
def replica_killed() -> Iterator[Row]:
    """SIGKILL under 8 clients, 20 ms upstream; once as clients are, once with keys and retries."""
    with _upstream(0.02) as ledger:
        with plain() as service:
            bare = load(service, 6.0, act=_killing(service, REPLICA), name="p")
        with ours() as service:
            once = load(service, 6.0, act=_killing(service, REPLICA), name="o")
            wait_until(lambda: len(service.listening()) == 2, 300.0)
            kept = load(service, 8.0, retries=True, act=_killing(service, REPLICA), name="k")
            replayed = again(service, kept)
            wait_until(lambda: len(service.listening()) == 2, 300.0)
            jobs = state.jobs_while(service, _killing(service, REPLICA))
            time.sleep(1.0)  # notes to the learner wait .2 s
            answered = state.answers_noted(service.home)
        executed = executions(ledger)
    yield Row("failed of sent, no retries", failed_of(bare), failed_of(once))
    yield Row(
        "failed of sent, Idempotency-Key and retries",
        "has none",
        f"{failed_of(kept)}, the slowest {max(sent.seconds for sent in kept):.1f} s",
        "0",
        all(sent.is_ok for sent in kept),
    )
    differing = sum(
        one.headers.get(_DECISION) != two.headers.get(_DECISION) for one, two in zip(kept, replayed, strict=True)
    )
    yield Row("sent once more: another answer", "all", f"{differing} of {len(kept)}", "0", differing == 0)
    twice = [sent.id for sent in kept if answered[sent.id] > 1]
    yield Row("answers journalled twice", "keeps none", str(len(twice)), "0", not twice)
    doubled = sum(executed[sent.id] > 1 for sent in kept)
    yield Row("asked of the upstream twice, for nobody knew", "not sent again", f"{doubled} of {len(kept)}")
    yield Row("jobs: done once, of those taken", "has none", str(jobs), "all", jobs.are_all_done_once)


@case
def ingress_killed() -> Iterator[Row]:
    """Ray's proxy; of ours the replica that holds half of the connections, which stand alone."""
    gaps = []
    with _upstream(0.02):
        for start, pattern in ((plain, "ray::ProxyActor"), (ours, REPLICA)):
            with start() as service:
                sent = load(service, 45.0 if start is plain else 8.0, clients=8, act=_killing(service, pattern))
            gaps.append((longest_gap(sent), max(longest_gap([s for s in sent if s.client == n]) for n in range(8))))
    (all_plain, one_plain), (all_ours, one_ours) = gaps
    yield Row("longest time without any answer", f"{all_plain:.2f} s", f"{all_ours:.2f} s", "1 s", all_ours <= 1.0)
    yield Row("the same of one client", f"{one_plain:.2f} s", f"{one_ours:.2f} s", "1 s", one_ours <= 1.0)


@case
def overload() -> Iterator[Row]:
    """64 clients, each back 50 ms after a refusal, for 4 requests at a time that take 50 ms: 16 times too many."""
    slots, seconds, upstream_seconds = 4, 8.0, 0.05
    starts: list[AbstractContextManager[Service]] = [
        plain(max_ongoing=slots // 2, max_queued=slots),
        ours(max_in_flight=slots // 2),
    ]
    goodputs, refusals, hints = [], [], []
    with _upstream(upstream_seconds):
        for start in starts:
            with start as service:
                seen = flood(service, seconds, 16 * slots, upstream_seconds)
            waits = [one.seconds for one in seen.refused]
            goodputs.append(seen.answered / (slots * seconds / upstream_seconds))
            refusals.append(statistics.median(waits) * 1e3 if waits else float("nan"))
            hints.append(sum(one.says_when for one in seen.refused) / max(len(waits), 1))
    yield Row("goodput, share of the ideal", f"{goodputs[0]:.0%}", f"{goodputs[1]:.0%}", "80%", goodputs[1] >= 0.8)
    yield Row(
        "median time to a refusal", f"{refusals[0]:.0f} ms", f"{refusals[1]:.0f} ms", "20 ms", refusals[1] <= 20.0
    )
    yield Row("refusals with Retry-After", f"{hints[0]:.0%}", f"{hints[1]:.0%}", "100%", hints[1] == 1.0)


@case
def large_body() -> Iterator[Row]:
    """200 MB, declared and chunked."""
    found: list[list[hostile.Taken]] = []
    with _upstream(0.0):
        for start, pattern in ((plain, "ray::(ServeReplica|ProxyActor)"), (ours, REPLICA)):
            with start() as service:
                found.append([hostile.send_large(service, pattern, is_chunked) for is_chunked in (False, True)])
    for how, bare, own in zip(("declared", "chunked"), *found, strict=True):
        holds = own.status == 413 and own.growth_mb < 10.0
        yield Row(f"200 MB, {how}: status, growth", str(bare), str(own), "413, 10 MB", holds)


@case
def hostile_requests() -> Iterator[Row]:
    """Nesting, a gzip bomb and half-sent heads; others are served meanwhile."""
    seen = []
    with _upstream(0.02):
        for start in (plain, ours):
            with start() as service:
                before = load(service, 2.0, clients=4, name="b")
                deep, bomb = hostile.send_nested(service), hostile.send_bomb(service)
                heads = hostile.HalfSent(service, 500)
                during = load(service, 3.0, clients=4, name="d")
                heads.wait(12.0)
                seen.append((deep, bomb, heads, failed_of(during), p50(during) / p50(before)))
    (deep, bomb, heads, failed, slower), (our_deep, our_bomb, our_heads, our_failed, our_slower) = seen
    yield Row("10^5-deep JSON", str(deep), str(our_deep), "4xx, 10 s", our_deep.is_refused)
    yield Row("gzip bomb, 100 MB", str(bomb), str(our_bomb), "4xx, 10 s", our_bomb.is_refused)
    yield Row("500 half-sent heads", str(heads), str(our_heads), "closed in 10 s", our_heads.last_seconds <= 10.0)
    ratio = f"{failed}, p50 x {slower:.2f}"
    yield Row("others meanwhile: failed", ratio, f"{our_failed}, p50 x {our_slower:.2f}", "0", our_failed[0] == "0")


@case
def full_disk() -> Iterator[Row]:
    """HOME on a small file system that is filled, and freed."""
    with _upstream(0.0), state.small_disk() as (folder, why_not):
        if folder is None:
            yield Row("skipped", "", why_not)
            return
        with ours(folder) as service:
            found = state.fill(service)
    yield Row(
        "not ready after", "keeps no state", f"{found.unready_seconds:.2f} s", "1 s", found.unready_seconds <= 1.0
    )
    yield Row("503 to a POST after", "", f"{found.refused_seconds:.2f} s", "1 s", found.refused_seconds <= 1.0)
    yield Row("/health/live meanwhile", "", str(found.live), "200", found.live == 200)
    yield Row(
        "ready after room was made", "", f"{found.healed_seconds:.2f} s", "by itself", found.healed_seconds < 30.0
    )
    yield Row("acknowledged feedback", "", str(found.verdict), "all kept", not found.verdict.problems)


@case
def racing_duplicates() -> Iterator[Row]:
    """1,000 at once with one Idempotency-Key."""
    with _upstream(0.3) as ledger:
        with plain() as service:
            first = asyncio.run(race(service, "plain", 1000, chat("plain"), "/v1/chat/completions"))
        with ours() as service:
            chats = asyncio.run(race(service, "ours", 1000, chat("ours"), "/v1/chat/completions"))
            replays = asyncio.run(race(service, "ours", 100, chat("ours"), "/v1/chat/completions"))
            other = asyncio.run(race(service, "ours", 1, chat("another"), "/v1/chat/completions"))
            task = state.task("one-task")
            tasks = asyncio.run(race(service, "task", 1000, task, "/api/tasks"))
            wait_until(lambda: executions(ledger)["one-task"])
            other_task = asyncio.run(race(service, "task", 1, state.task("another-task"), "/api/tasks"))
        executed = executions(ledger)
    yield Row("chats executed of 1,000", f"{executed['plain']}", f"{executed['ours']}", "1", executed["ours"] == 1)
    yield Row("answers to the 1,000", counts(first), counts(chats), "200, 409", set(chats) <= {200, 409})
    yield Row("sent again when done", "", counts(replays), "200", set(replays) == {200})
    yield Row("another payload", "", counts(other), "422", set(other) == {422})
    yield Row("tasks executed of 1,000", "has none", f"{executed['one-task']}", "1", executed["one-task"] == 1)
    yield Row("answers to the 1,000 tasks", "", counts(tasks), "200, 202", set(tasks) <= {200, 202})
    yield Row("another task", "", counts(other_task), "422", set(other_task) == {422})


@case
def parts_killed() -> Iterator[Row]:
    """What holds the service together, one after the other; then all of it, and started again on what is on disk."""
    bare: dict[str, list[Sent]] = {}
    own: dict[str, list[Sent]] = {}
    history = state.History()
    with _upstream(0.02), tempfile.TemporaryDirectory(prefix="krins-faults-") as place:
        with plain() as service:
            for name, pattern in state.RAYS_PARTS.items():
                bare[name] = load(service, 6.0, act=_killing(service, pattern), name=name)
        with ours(Path(place)) as service:
            for name, pattern in {**state.OUR_PARTS, **state.RAYS_PARTS}.items():
                then = partial(history.tell, service)
                own[name] = load(service, 8.0, act=_killing(service, pattern), name=name, then=then)
                yield Row(
                    f"{name} killed: failed of sent; feedback that waited longest",
                    failed_of(bare[name]) if name in bare else "has none",
                    f"{failed_of(own[name])}; {history.longest_seconds(name):.1f} s, {history.failed(name)} not taken",
                )
        with ours(Path(place)) as service:
            verdict = history.check(service)
    yield Row(
        "acknowledged feedback after a new start", "keeps none", str(verdict), "all, bit-equal", not verdict.problems
    )


@case
def rolling_upgrade() -> Iterator[Row]:
    """The same deployed again with another argument."""
    seen, with_sdk = [], []
    with _upstream(0.02):
        for start in (plain, ours):
            with start() as service:
                before = {each.pid for each in service.processes(REPLICA)}
                upgraded = partial(_upgraded, service, before)
                seen.append(load(service, 15.0, act=service.deploy, name="u"))
                wait_until(upgraded, 300.0)
                before |= {each.pid for each in service.processes(REPLICA)}
                with_sdk.append(hostile.through_sdk(service, 15.0, service.deploy))
                wait_until(partial(_upgraded, service, before), 300.0)
    yield Row("failed of sent, no retries", failed_of(seen[0]), failed_of(seen[1]), "0", failed_of(seen[1])[0] == "0")
    yield Row("failed of sent, the official SDK", str(with_sdk[0]), str(with_sdk[1]), "0", with_sdk[1].failed == 0)


_DECISION = "x-krins-decision-id"


def _upstream(delay_seconds: float) -> Any:
    return upstream(Path(tempfile.mkdtemp(prefix="krins-ledger-")), delay_seconds)


def _killing(service: Service, pattern: str) -> Callable[[], None]:
    def kill() -> None:
        service.processes(pattern)[0].kill()

    return kill


def _upgraded(service: Service, before: set[int]) -> bool:
    now = {each.pid for each in service.processes(REPLICA)}
    return len(now) == 2 and not now & before


if __name__ == "__main__":
    main()
