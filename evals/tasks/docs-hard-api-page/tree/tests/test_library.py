import unittest
from datetime import date

from shelfmark.catalogue import Catalogue
from shelfmark.labels import code
from shelfmark.loans import Loan, lend


class LibraryTest(unittest.TestCase):
    def test_copies(self):
        catalogue = Catalogue(["The Tempest", "Hamlet", "Tempest"])
        self.assertEqual(catalogue.find("a tempest"), [0, 2])

    def test_loans_end_on_open_days(self):
        loan = lend(Catalogue(["Hamlet"]), 0, "Ada", date(2024, 4, 7))
        self.assertEqual(loan.due, date(2024, 5, 7))

    def test_records(self):
        self.assertEqual(Loan.from_record("4;Ada;2024-04-07;1").record(), "4;Ada;2024-04-07;1")

    def test_codes(self):
        self.assertEqual(code("Shakespeare", "Hamlet"), "SHA-H")
