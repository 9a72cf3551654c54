import unittest

from notes.repository import NoteRepository
from notes.schema import open_notebook


class TrashTest(unittest.TestCase):
    def setUp(self):
        self.notes = NoteRepository(open_notebook())

    def test_restored_notes_are_listed_again(self):
        first = self.notes.add("First")
        self.notes.trash(first, "2024-03-01")
        self.assertEqual(self.notes.list(), [])
        self.notes.restore(first)
        self.assertEqual([note["title"] for note in self.notes.list()], ["First"])

    def test_emptying_spares_what_is_recent(self):
        for title, day in (("Old", "2024-01-31"), ("New", "2024-02-01")):
            self.notes.trash(self.notes.add(title), day)
        self.assertEqual(self.notes.empty_trash("2024-02-01"), 1)
        self.assertEqual([note["title"] for note in self.notes.list_trash()], ["New"])


if __name__ == "__main__":
    unittest.main()
