"""Which backups stay."""

import re
from datetime import date
from fnmatch import fnmatchcase

_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def date_of(name):
    """The date in the name of a file; None if there is none."""
    found = _DATE.search(name)
    return date(*map(int, found.groups())) if found else None


def matches(name, pattern):
    return any(fnmatchcase(name, one) for one in pattern.split("|"))


def _day(day):
    return day


def _week(day):
    return day.isocalendar()[:2]


def _month(day):
    return day.year, day.month


def kept(names, daily, weekly, monthly):
    """Names of the backups that stay, sorted."""
    dated = sorted(((date_of(name), name) for name in names if date_of(name)), reverse=True)
    stay = set()
    for most, period_of in ((daily, _day), (weekly, _week), (monthly, _month)):
        seen = []
        for day, name in dated:
            if period_of(day) not in seen and len(seen) < most:
                seen.append(period_of(day))
                stay.add(name)
    return sorted(stay)
