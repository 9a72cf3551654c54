"""Deliveries, which suppliers announce as SQL scripts that add to our tables."""

import sqlite3

from depot.atomic import run_statements, transaction


class ImportFailed(Exception):
    """The supplier has to send another script."""


def import_script(connection, sql):
    """
    Raises:
        ImportFailed: a statement of the script failed; nothing was imported.
    """
    try:
        with transaction(connection):
            run_statements(connection, sql)
    except sqlite3.Error as failure:
        raise ImportFailed(str(failure)) from failure
