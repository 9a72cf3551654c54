"""Keeping the tables of a database up to date with scripts, each of which is run once."""

import sqlite3

from depot.atomic import foreign_keys_off, run_statements, transaction

TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name TEXT PRIMARY KEY
)
"""


class MigrationFailed(Exception):
    """The message begins with the name of the script."""


def applied(connection):
    """Names of the scripts that have been run on this database, in order."""
    connection.execute(TABLE)
    return [name for (name,) in connection.execute("SELECT name FROM schema_migrations ORDER BY name")]


def pending(connection, scripts):
    """Those of `scripts`, pairs of name and text, that have not been run."""
    done = set(applied(connection))
    return [(name, sql) for name, sql in scripts if name not in done]


def migrate(connection, scripts):
    """Run what has not been run, in order, and return the names.

    Raises:
        MigrationFailed: a script failed and left nothing behind; those after it were not begun.
    """
    names = []
    for name, sql in pending(connection, scripts):
        try:
            with foreign_keys_off(connection), transaction(connection):
                run_statements(connection, sql)
                connection.execute("INSERT INTO schema_migrations (name) VALUES (?)", (name,))
                _check_foreign_keys(connection)
        except sqlite3.Error as failure:
            raise MigrationFailed(f"{name}: {failure}") from failure
        names.append(name)
    return names


def _check_foreign_keys(connection):
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken:
        table, _, parent, _ = broken
        raise sqlite3.IntegrityError(f"a row of {table} refers to one of {parent} that is not there")
