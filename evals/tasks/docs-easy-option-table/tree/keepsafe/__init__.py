"""Thins out folders of dated backups."""
