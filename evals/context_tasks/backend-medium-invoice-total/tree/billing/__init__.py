"""Invoices of a small shop. Amounts are whole cents throughout."""
