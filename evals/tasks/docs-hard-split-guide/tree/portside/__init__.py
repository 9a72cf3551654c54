"""Passes connections on."""
