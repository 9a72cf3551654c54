"""Days on which the library is open."""

from datetime import timedelta

__all__ = ["is_open", "next_open_day"]


def is_open(day, holidays=frozenset()):
    """Whether the library is open: from Tuesday to Saturday, holidays aside."""
    return day.weekday() not in (0, 6) and day not in holidays


def next_open_day(day, *, holidays=frozenset()):
    """The first day from `day` on for which `is_open()` holds.

    ```python
    next_open_day(date(2024, 5, 5))  # a Sunday; `is_open` is false
    ```
    """
    while not is_open(day, holidays):
        day += timedelta(days=1)
    return day
