"""Checks systemd services."""
