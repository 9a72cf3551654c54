"""What may stand in a field of a profile. Each check returns the value to store, or raises `Problem`."""

import re
from datetime import date

MAX_NAME = 80
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class Problem(Exception):
    """The value cannot be accepted; the message is shown beside the field."""


def text(value):
    if not isinstance(value, str):
        raise Problem("must be a text")
    value = value.strip()
    if not value:
        raise Problem("must not be blank")
    return value


def name(value):
    value = text(value)
    if len(value) > MAX_NAME:
        raise Problem(f"must have at most {MAX_NAME} characters")
    return value


def email(value):
    value = text(value).lower()
    if not EMAIL.fullmatch(value):
        raise Problem("is no e-mail address")
    return value


def phone(value):
    """Digits, with a plus sign before them where a country is given; blanks, dots and dashes are dropped."""
    value = re.sub(r"[\s.\-/()]", "", text(value))
    if not re.fullmatch(r"\+?[0-9]{5,15}", value):
        raise Problem("is no phone number")
    return value


def birthday(value):
    try:
        return date.fromisoformat(text(value)).isoformat()
    except ValueError:
        raise Problem("is no date") from None


CHECKS = {"name": name, "email": email, "phone": phone, "birthday": birthday, "nickname": name}
REQUIRED = ("name", "email")
"""Every profile has these; the other fields may be None."""
