"""`python -m serve.security.keys`: make, list and revoke API keys.

Invariants: a key is printed once, to standard output, and nothing else is; two commands at once do not lose a key.
Left out: the keys themselves (`serve.security.keys`).
"""

from __future__ import annotations

import hashlib
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click
from filelock import FileLock

from krins.errors import KrinsError, UserError
from krins.runs.store import default_home
from serve.security.keys import KeyEntry, KeyFile, new_key, read_keys, write_keys
from serve.web import Scope

_GRANTED = [scope.value for scope in Scope if scope is not Scope.ANY]
_DAY_SECONDS = 86_400.0


def keys_path(home: Path) -> Path:
    return home / "serving" / "keys.json"


class _Usd(click.ParamType[Decimal]):
    name = "USD"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value} is no amount", param, ctx)
        if not amount.is_finite() or amount < 0:
            self.fail("a budget is not below zero", param, ctx)
        return amount


@click.group()
@click.option("--home", type=click.Path(path_type=Path), help="Where state lives; default: KRINS_HOME or .krins.")
@click.pass_context
def commands(context: click.Context, home: Path | None) -> None:
    """API keys of the service. A running service takes changes over within a second."""
    context.obj = keys_path(home or default_home())


@commands.command()
@click.option("--label", default="", help="Whose it is, for people.")
@click.option("--scope", "scopes", type=click.Choice(_GRANTED), multiple=True, default=("infer", "feedback"))
@click.option("--budget-usd", type=_Usd(), help="What it may spend in all.")
@click.option("--requests-per-minute", type=click.IntRange(min=1))
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="After which it expires.")
@click.pass_obj
def add(
    path: Path,
    label: str,
    scopes: tuple[str, ...],
    budget_usd: Decimal | None,
    requests_per_minute: int | None,
    days: float | None,
) -> None:
    """Make a key and print it, this once."""
    with _changing(path) as entries:
        key_id = secrets.token_hex(5)
        key, now = new_key(key_id), time.time()
        entries[key_id] = KeyEntry(
            key_id=key_id,
            sha256=hashlib.sha256(key.encode()).hexdigest(),
            label=label,
            scopes=frozenset(Scope(scope) for scope in scopes),
            budget_usd=budget_usd,
            requests_per_minute=requests_per_minute,
            created_at_seconds=now,
            expires_at_seconds=None if days is None else now + days * _DAY_SECONDS,
        )
    click.echo(key)


@commands.command(name="list")
@click.pass_obj
def list_keys(path: Path) -> None:
    """Show what keys there are; the keys themselves are not known."""
    for entry in read_keys(path)[1].keys:
        scopes = ",".join(sorted(entry.scopes))
        budget = "no budget" if entry.budget_usd is None else f"${entry.budget_usd}"
        rate = "no rate limit" if entry.requests_per_minute is None else f"{entry.requests_per_minute}/min"
        until = (
            ""
            if entry.expires_at_seconds is None
            else time.strftime("until %Y-%m-%d %H:%M UTC", time.gmtime(entry.expires_at_seconds))
        )
        click.echo("  ".join(filter(None, (entry.key_id, scopes, budget, rate, until, entry.label))))


@commands.command()
@click.argument("key_id")
@click.pass_obj
def revoke(path: Path, key_id: str) -> None:
    """Let a key be of no use any more, within a second."""
    with _changing(path) as entries:
        if entries.pop(key_id, None) is None:
            raise UserError(f"there is no key {key_id}", "`list` shows the keys; KRINS_ADMIN_KEY is not among them")


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, KeyEntry]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        entries = {entry.key_id: entry for entry in read_keys(path)[1].keys}
        yield entries
        write_keys(path, KeyFile(keys=tuple(entries.values())))


def main() -> None:
    try:
        commands(prog_name="python -m serve.security.keys")
    except KrinsError as failure:
        click.echo(f"krins: {failure}", err=True)
        sys.exit(failure.exit_code)
