"""Running an SQL script as a whole or not at all."""

import re
import sqlite3
from contextlib import contextmanager

OF_TRANSACTIONS = ("BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE")
FIRST_WORD = re.compile(r"(?:[\s;]|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*(\w*)", re.DOTALL)


@contextmanager
def transaction(connection):
    """Commit what happens in the block, or undo it all if something is raised."""
    connection.commit()
    connection.execute("BEGIN")
    try:
        yield
        connection.commit()
    except BaseException:
        # Some failures of SQLite have ended the transaction by themselves, which rollback() does not mind.
        connection.rollback()
        raise


@contextmanager
def foreign_keys_off(connection):
    """Foreign keys can be switched outside of transactions alone."""
    connection.commit()
    (were_on,) = connection.execute("PRAGMA foreign_keys").fetchone()
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA foreign_keys = {were_on}")


def run_statements(connection, sql):
    """
    Raises:
        sqlite3.Error: a statement failed, or begins or ends a transaction.
    """
    for statement in _statements(sql):
        word = FIRST_WORD.match(statement)[1].upper()
        if word in OF_TRANSACTIONS:
            raise sqlite3.ProgrammingError(f"{word} is not for scripts: each is one transaction")
        connection.execute(statement)


def _statements(sql):
    """SQLite itself knows where a statement ends."""
    statement = ""
    for part in re.split("(?<=;)", sql):
        statement += part
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    yield statement
