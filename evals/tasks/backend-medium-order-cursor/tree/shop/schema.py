"""The tables of the shop."""

import sqlite3

TABLES = """
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    placed_on TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'open',
    total_cents INTEGER NOT NULL
);
CREATE INDEX orders_of_customers ON orders (customer_id, placed_on);
"""
"""`placed_on` is an ISO date. Orders that came by fax are entered days later, so ids do not follow the dates."""


def open_shop(path=":memory:"):
    connection = sqlite3.connect(path)
    connection.executescript(TABLES)
    return connection
