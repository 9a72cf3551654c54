"""When a page was last looked at."""

from datetime import timedelta

MONTHS = {"policy": 6, "guide": 12, "reference": 24}


def due(kind, reviewed_on):
    return reviewed_on + timedelta(days=30 * MONTHS.get(kind, 12))


def overdue(pages, today):
    """Names of pages past their date, the oldest first. Pages are (name, kind, day of the last review)."""
    late = [(due(kind, day), name) for name, kind, day in pages if due(kind, day) < today]
    return [name for _, name in sorted(late)]
