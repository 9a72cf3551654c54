"""Cursors: where a page ended, in a form that fits into an address and that clients do not take apart."""

import base64
import binascii
import re

PLACE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:/([0-9]{1,18}))?")
"""A day and the id of an order. Old cursors have no id; they stand for the beginning of their day."""


class BadCursor(ValueError):
    """Not a cursor that we gave out."""


def encode_cursor(day, order_id):
    return base64.urlsafe_b64encode(f"{day}/{order_id}".encode()).decode().rstrip("=")


def decode_cursor(cursor):
    """The day and the id of the order that a page ended with.

    Raises:
        BadCursor: it is none.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadCursor(cursor) from None
    place = PLACE.fullmatch(text)
    if not place:
        raise BadCursor(cursor)
    return place[1], int(place[2] or 0)
