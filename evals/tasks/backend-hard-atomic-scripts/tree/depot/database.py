"""Opening the database."""

import sqlite3


def connect(path=":memory:"):
    """A connection that minds foreign keys, which SQLite leaves off."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
