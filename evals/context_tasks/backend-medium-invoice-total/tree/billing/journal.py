"""Bookings: every invoice and payment on two accounts."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Booking:
    debit: str
    credit: str
    cents: int
    text: str = ""


@dataclass
class Journal:
    bookings: list = field(default_factory=list)

    def book(self, debit, credit, cents, text=""):
        if cents <= 0:
            raise ValueError("a booking moves a positive amount")
        self.bookings.append(Booking(debit, credit, cents, text))

    def balance(self, account):
        """What went to an account less what left it."""
        to = sum(booking.cents for booking in self.bookings if booking.debit == account)
        return to - sum(booking.cents for booking in self.bookings if booking.credit == account)
