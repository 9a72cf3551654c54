"""Recorded outcomes: a table read, checked, and offered behind the environment seam."""
