"""When a release may go out: not on Fridays, weekends or in a freeze."""

from datetime import date, timedelta

FREEZES = ((12, 18), (1, 3))
"""From the first (month, day) to the second, over the turn of the year."""


def is_frozen(day):
    return (day.month, day.day) >= FREEZES[0] or (day.month, day.day) <= FREEZES[1]


def may_release(day):
    return day.weekday() < 4 and not is_frozen(day)


def next_release_day(today: date):
    day = today + timedelta(days=1)
    while not may_release(day):
        day += timedelta(days=1)
    return day
