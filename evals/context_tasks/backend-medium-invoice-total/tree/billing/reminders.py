"""Reminders for invoices that nobody paid."""

from datetime import date, timedelta

DAYS_TO_PAY = 14
FEES = (0, 250, 500)
"""Cents of the first, second and third reminder."""


def due_on(invoiced_on):
    return invoiced_on + timedelta(days=DAYS_TO_PAY)


def reminder_level(invoiced_on, today):
    """0 while there is time; then one level a week, at most 3."""
    late = (today - due_on(invoiced_on)).days
    return 0 if late <= 0 else min(3, 1 + (late - 1) // 7)


def reminder_fee(level):
    return FEES[level - 1] if level else 0


def is_overdue(invoiced_on, today=None):
    return reminder_level(invoiced_on, today or date.today()) > 0
