"""API keys, who may call what, how often, and what a log may hold."""

from __future__ import annotations

import builtins
import io
import logging
import random
import stat
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from krins.clock import FakeClock
from krins.errors import UserError
from serve.security.guard import Guard, is_loopback, require_safe_exposure
from serve.security.key_commands import commands
from serve.security.keys import KeyRing, new_key, read_keys
from serve.security.logs import RedactingFilter, Redactor
from serve.security.rates import Rates, TokenBucket
from serve.security.strength import weakness
from serve.web import Answer, Call, Refusal, Route, Scope
from tests.serve.door_app import ADMIN_KEY


async def _never(call: Call) -> Answer:
    raise AssertionError


def route(scope: Scope | None) -> Route:
    return Route("GET", "/", _never, scope, "", "test")


class Keys:
    """The key file of a home, by its own commands."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.path = home / "serving" / "keys.json"
        self.clock = FakeClock(1_000.0)

    def run(self, *arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(commands, ["--home", str(self._home), *arguments], standalone_mode=code == 0)
        assert result.exit_code == code, result.output
        return result.output.strip()

    def ring(self, **environ: str) -> KeyRing:
        return KeyRing.load(self.path, environ, self.clock)

    def guard(self, replicas: int = 1) -> Guard:
        return Guard(self.ring(), Rates(self.clock, replicas))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


def test_a_key_is_shown_once_and_stands_nowhere(keys: Keys) -> None:
    key = keys.run("add", "--label", "ci", "--budget-usd", "1.50", "--requests-per-minute", "60")
    secret = key.split("_", 2)[2]
    assert len(secret) == 43
    assert secret not in keys.path.read_text() and secret not in keys.run("list")
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    (entry,) = read_keys(keys.path)[1].keys
    assert (entry.label, entry.budget_usd, entry.requests_per_minute) == ("ci", Decimal("1.50"), 60)
    known = keys.ring().find(key.encode())
    assert known is not None and known.client.scopes == {Scope.INFER, Scope.FEEDBACK}


def test_a_revoked_key_stops_working_and_others_do_not(keys: Keys) -> None:
    first, second = keys.run("add"), keys.run("add")
    ring = keys.ring()
    assert ring.find(first.encode()) and ring.find(second.encode())
    keys.run("revoke", first.split("_")[1])
    keys.clock.advance(0.5)
    assert ring.find(first.encode()) is None and ring.find(second.encode())
    keys.run("revoke", "nobody", code=1)


def test_an_expired_key_is_none(keys: Keys) -> None:
    key = keys.run("add", "--days", "1")
    ring = keys.ring()
    keys.clock.advance(10.0)
    assert ring.find(key.encode())
    keys.clock.advance(1e10)
    assert ring.find(key.encode()) is None


def test_a_file_that_cannot_be_read_leaves_the_former_keys_and_one_that_is_gone_none(keys: Keys) -> None:
    key = keys.run("add")
    ring = keys.ring()
    keys.path.write_text("{")
    keys.clock.advance(1.0)
    assert ring.find(key.encode()) and "not a file of API keys" in str(ring.fault)
    keys.path.unlink()
    keys.clock.advance(1.0)
    assert ring.find(key.encode()) is None and ring.fault is None
    keys.path.write_text("[]")
    with pytest.raises(UserError):
        keys.ring()


@given(st.binary(max_size=80))
def test_no_other_bytes_are_a_key(presented: bytes) -> None:
    ring = KeyRing(Path("/nonexistent/keys.json"), ADMIN_KEY, FakeClock())
    assert ring.find(presented) is None
    assert ring.find(ADMIN_KEY.encode()) is not None


def test_a_changed_character_or_another_keys_id_is_refused(keys: Keys) -> None:
    first, second = keys.run("add"), keys.run("add")
    ring = keys.ring()
    mixed = "_".join((*first.split("_", 2)[:2], second.split("_", 2)[2]))
    assert ring.find(mixed.encode()) is None
    for at in range(len(first)):
        changed = first[:at] + ("A" if first[at] != "A" else "B") + first[at + 1 :]
        assert ring.find(changed.encode()) is None


@pytest.mark.parametrize(
    "key",
    ["", "short", "a" * 64, "ab" * 30, "changeme-changeme-change-2024", "abcdefghijklmnopqrstuvwxyz", "0123456789" * 4,
     "MyPassword-for-the-service-2024", "with a space in the middle of it 123", "krins-admin-key-0987654321"],
)  # fmt: skip
def test_weak_admin_keys_are_refused_and_not_quoted(tmp_path: Path, key: str) -> None:
    assert weakness(key)
    if key:
        with pytest.raises(UserError) as refusal:
            KeyRing.load(tmp_path / "keys.json", {"KRINS_ADMIN_KEY": key}, FakeClock())
        assert key not in str(refusal.value)


@given(st.randoms(use_true_random=True))
def test_random_keys_are_not_weak(draw: random.Random) -> None:
    assert weakness(draw.randbytes(16).hex()) is None
    assert weakness(new_key("a")) is None


def test_scopes_admin_and_keys_of_any_scope(keys: Keys) -> None:
    guard = keys.guard()
    infer = {b"authorization": b"bearer " + keys.run("add", "--scope", "infer").encode()}
    admin = {b"x-api-key": keys.run("add", "--scope", "admin").encode()}
    keys.clock.advance(1.0)
    for scope in (Scope.INFER, Scope.ANY):
        assert guard.admit(route(scope), infer).client.scopes == {Scope.INFER}
    for scope in (Scope.FEEDBACK, Scope.ADMIN):
        with pytest.raises(Refusal) as refusal:
            guard.admit(route(scope), infer)
        assert (refusal.value.status, refusal.value.code) == (403, "insufficient_scope")
    for scope in Scope:
        guard.admit(route(scope), admin)
    assert guard.admit(route(None), {}).client.scopes == frozenset()


def test_a_keys_rate_is_shared_among_replicas(keys: Keys) -> None:
    key = {b"x-api-key": keys.run("add", "--requests-per-minute", "6").encode()}
    guard = keys.guard(replicas=2)
    left = [dict(guard.admit(route(Scope.INFER), key).headers)[b"x-ratelimit-remaining-requests"] for _ in range(3)]
    assert left == [b"2", b"1", b"0"]
    with pytest.raises(Refusal) as refusal:
        guard.admit(route(Scope.INFER), key)
    assert refusal.value.status == 429
    assert refusal.value.retry_after_seconds == pytest.approx(20.0)
    keys.clock.advance(20.0)
    guard.admit(route(Scope.INFER), key)


@given(st.lists(st.floats(0.0, 3.0), max_size=60), st.floats(0.1, 5.0), st.floats(1.0, 5.0))
def test_a_bucket_never_grants_more_than_its_rate_and_one_capacity(
    waits: list[float], per_second: float, capacity: float
) -> None:
    clock = FakeClock()
    bucket = TokenBucket(clock, per_second, capacity)
    granted = 0
    for wait in waits:
        clock.advance(wait)
        granted += bucket.take().is_granted
        assert granted <= capacity + per_second * clock.monotonic_seconds() + 1e-6


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.1:8000", "[::1]:80", "[::1]", "LOCALHOST:1"])
def test_without_keys_this_machine_is_let_in(host: str) -> None:
    Guard(None, Rates(FakeClock(), 1)).admit(route(Scope.ADMIN), {b"host": host.encode()})


@pytest.mark.parametrize(
    "headers",
    [
        {b"host": b"evil.example"},
        {b"host": b"127.0.0.1.evil.example"},
        {b"host": b"localhost.evil.example:8000"},
        {b"host": b"0.0.0.0"},
        {b"host": b""},
        {},
        {b"host": b"127.0.0.1@evil.example"},
        {b"host": b"127.0.0.1:8000", b"origin": b"http://evil.example"},
        {b"host": b"127.0.0.1:8000", b"origin": b"http://127.0.0.1:9000"},
        {b"host": b"127.0.0.1:8000", b"origin": b"null"},
        {b"host": b"127.0.0.1:8000", b"origin": b"http://["},
        {b"host": b"127.0.0.1:8000", b"sec-fetch-site": b"cross-site"},
        {b"host": b"127.0.0.1:8000", b"sec-fetch-site": b"same-site"},
    ],
)
def test_without_keys_pages_of_others_are_kept_out(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(Refusal) as refusal:
        Guard(None, Rates(FakeClock(), 1)).admit(route(None), headers)
    assert refusal.value.status == 403


def test_without_keys_its_own_page_is_let_in() -> None:
    headers = {b"host": b"localhost:8000", b"origin": b"http://localhost:8000", b"sec-fetch-site": b"same-origin"}
    assert Guard(None, Rates(FakeClock(), 1)).admit(route(Scope.ADMIN), headers).client.key_id == ""


def test_off_loopback_keys_and_an_administrator_are_needed(keys: Keys) -> None:
    require_safe_exposure("127.0.0.1", True, keys.ring())
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org"):
        assert not is_loopback(host)
        with pytest.raises(UserError, match="not loopback"):
            require_safe_exposure(host, True, keys.ring(KRINS_ADMIN_KEY=ADMIN_KEY))
        with pytest.raises(UserError, match="administrator"):
            require_safe_exposure(host, False, keys.ring())
        require_safe_exposure(host, False, keys.ring(KRINS_ADMIN_KEY=ADMIN_KEY))
    keys.run("add", "--scope", "admin", "--days", "1")
    require_safe_exposure("0.0.0.0", False, keys.ring())
    keys.clock.advance(4e9)
    with pytest.raises(UserError, match="administrator"):
        require_safe_exposure("0.0.0.0", False, keys.ring())


PLANTED = {
    "PROVIDER_API_KEY": "planted-provider-key-1",
    "KRINS_ADMIN_KEY": ADMIN_KEY,
    "HF_TOKEN": "hf_planted_token",
}


@pytest.mark.parametrize(
    "text",
    [
        "calling with {}",
        "Authorization: Bearer {}",
        "{{'authorization': 'Bearer {}'}}",
        "[(b'x-api-key', b'{}')]",
        "GET /v1/models?api_key={}&x=1",
        '{{"api_key": "{}"}}',
        "Bearer%20{}",
    ],
)
@pytest.mark.parametrize("secret", [*PLANTED.values(), new_key("a1b2"), "sk-proj-abcdefghijk", "sk-ant-api03-planted"])
def test_planted_secrets_reach_no_log(text: str, secret: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(Redactor(PLANTED)))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    said = text.format(secret)
    logger.warning("%s", said)
    logger.warning(said.replace("%", "%%") + " %d", 1)
    try:
        raise ValueError(said)
    except ValueError:
        logger.exception("failed", stack_info=True)
    assert secret not in stream.getvalue()
    assert "failed" in stream.getvalue() and "ValueError" in stream.getvalue()


# Of Ray's own models, when ray.serve is first imported.
@pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`:DeprecationWarning")
def test_a_traceback_has_its_lines_also_where_ray_serve_has_replaced_print(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.serve._private.logging_utils import redirected_print

    monkeypatch.setattr(builtins, "print", redirected_print)  # as in a replica
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(Redactor({})))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError("broke")
    except ValueError:
        logger.exception("failed")
    lines = stream.getvalue().splitlines()
    assert (lines[:2], lines[-1]) == (["failed", "Traceback (most recent call last):"], "ValueError: broke")


def test_words_that_are_no_secrets_are_left() -> None:
    said = "request 17 of /v1/chat/completions took 12 tokens: ok"
    assert Redactor({"TOKEN_BUDGET": "12"}).clean(said) == said
