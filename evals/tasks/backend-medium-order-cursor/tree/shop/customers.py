"""Customers in the database."""


def add_customer(connection, name):
    with connection:
        return connection.execute("INSERT INTO customers (name) VALUES (?)", (name,)).lastrowid


def customer_exists(connection, customer_id):
    return connection.execute("SELECT 1 FROM customers WHERE id = ?", (customer_id,)).fetchone() is not None
