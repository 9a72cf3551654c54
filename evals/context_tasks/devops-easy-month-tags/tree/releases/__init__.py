"""Releases of services: what they are called, when they go out, and where to."""
