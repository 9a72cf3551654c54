"""Deliveries, which suppliers announce as SQL scripts that add to our tables."""

import sqlite3


class ImportFailed(Exception):
    """The supplier has to send another script."""


def import_script(connection, sql):
    """
    Raises:
        ImportFailed: a statement of the script failed.
    """
    try:
        with connection:
            connection.executescript(sql)
    except sqlite3.Error as failure:
        raise ImportFailed(str(failure)) from failure
