"""Pieces of HTML for our dashboards."""
