"""The tables of a notebook."""

import sqlite3

TABLES = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    trashed_on TEXT
);
CREATE INDEX IF NOT EXISTS notes_by_trash ON notes (trashed_on);
"""


def open_notebook(path=":memory:"):
    connection = sqlite3.connect(path)
    connection.executescript(TABLES)
    return connection
