"""Amounts in recipes."""
