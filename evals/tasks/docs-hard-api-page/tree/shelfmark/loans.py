"""Who has which book."""

from datetime import timedelta

from shelfmark.dates import next_open_day

__all__ = ["DAYS", "Loan", "lend"]
DAYS = 28


class Loan:
    """A book that somebody has. Made by `lend`, never directly.

    Without `Loan.renew`, it ends on the day that `due` says.
    """

    def __init__(self, number, reader, begun, renewed=0):
        self.number, self.reader, self.begun = number, reader, begun
        self._renewed = renewed

    @classmethod
    def from_record(cls, record):
        """Inverse of `record`; a text without four parts raises `ValueError`."""
        number, reader, begun, renewed = record.split(";")
        return cls(int(number), reader, begun, int(renewed))

    def record(self):
        """One line, for `from_record`."""
        return f"{self.number};{self.reader};{self.begun};{self._renewed}"

    def renew(self, times=1):
        self._renewed += times

    @property
    def due(self):
        """The last day: the `next_open_day` after the time is over."""
        return next_open_day(self.begun + timedelta(days=DAYS * (1 + self._renewed)))

    def _is_long(self):
        """Whether it was renewed more than twice."""
        return self._renewed > 2


def lend(catalogue, number, reader, today):
    """A new `Loan` of a book of a `Catalogue`.

        lend(catalogue, 4, "Ada", today)  # a `Loan`

    A number that no book has raises `LookupError`.
    """
    if not 0 <= number < len(catalogue):
        raise LookupError(f"no book {number}")
    return Loan(number, reader, today)
