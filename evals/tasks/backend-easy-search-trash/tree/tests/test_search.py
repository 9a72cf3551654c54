import unittest

from notes.handlers import delete_note, get_search
from notes.repository import NoteRepository
from notes.schema import open_notebook


class SearchTest(unittest.TestCase):
    def setUp(self):
        self.notes = NoteRepository(open_notebook())

    def titles(self, text):
        return [note["title"] for note in self.notes.search(text)]

    def test_finds_titles_and_bodies(self):
        self.notes.add("Shopping", "milk, bread")
        self.notes.add("Milk prices")
        self.notes.add("Holidays")
        self.assertEqual(self.titles("milk"), ["Milk prices", "Shopping"])

    def test_signs_of_patterns_are_plain_text(self):
        self.notes.add("100% cotton")
        self.notes.add("100 sheets")
        self.assertEqual(self.titles("100%"), ["100% cotton"])

    def test_limit_and_total(self):
        for number in range(3):
            self.notes.add(f"Draft {number}")
        status, body = get_search(self.notes, {"q": "draft", "limit": "2"})
        self.assertEqual((status, body["total"], len(body["notes"])), (200, 3, 2))

    def test_leaves_out_the_trash(self):
        self.notes.add("Shopping", "milk, bread")
        old = self.notes.add("Old list", "milk, eggs")
        delete_note(self.notes, old, "2024-03-01")
        self.assertEqual(self.titles("milk"), ["Shopping"])


if __name__ == "__main__":
    unittest.main()
