"""Cursors: where a page ended, in a form that fits into an address and that clients do not take apart."""

import base64
import binascii
import re

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BadCursor(ValueError):
    """Not a cursor that we gave out."""


def encode_cursor(skip):
    return base64.urlsafe_b64encode(str(skip).encode()).decode().rstrip("=")


def decode_cursor(cursor):
    """
    Raises:
        BadCursor: it is none.
    """
    try:
        day = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadCursor(cursor) from None
    if day.isdecimal():
        return int(day)
    if not DAY.fullmatch(day):
        raise BadCursor(cursor)
    return day
