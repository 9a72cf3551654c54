"""Notes in the database."""

from notes.text import like_pattern

SELECT = "SELECT id, title, body, pinned, trashed_on FROM notes"


class NoteRepository:
    def __init__(self, connection):
        self._connection = connection

    def add(self, title, body="", pinned=False):
        """Store a note and return its id."""
        with self._connection:
            cursor = self._connection.execute(
                "INSERT INTO notes (title, body, pinned) VALUES (?, ?, ?)", (title, body, int(pinned))
            )
        return cursor.lastrowid

    def get(self, note_id):
        """The note, in the trash or not; None if there is none."""
        row = self._connection.execute(SELECT + " WHERE id = ?", (note_id,)).fetchone()
        return _note(row) if row else None

    def list(self):
        """Notes outside the trash: pinned ones first, then the newest first."""
        rows = self._connection.execute(SELECT + " WHERE trashed_on IS NULL ORDER BY pinned DESC, id DESC")
        return [_note(row) for row in rows]

    def search(self, text, limit=20):
        """At most `limit` notes with `text` in their title or body, the newest first."""
        pattern = like_pattern(text)
        rows = self._connection.execute(
            SELECT + " WHERE title LIKE ? ESCAPE '\\' OR body LIKE ? ESCAPE '\\' AND trashed_on IS NULL"
            " ORDER BY id DESC LIMIT ?",
            (pattern, pattern, limit),
        )
        return [_note(row) for row in rows]

    def count_matches(self, text):
        """How many notes `search` would find without a limit."""
        pattern = like_pattern(text)
        row = self._connection.execute(
            "SELECT COUNT(*) FROM notes"
            " WHERE title LIKE ? ESCAPE '\\' OR body LIKE ? ESCAPE '\\' AND trashed_on IS NULL",
            (pattern, pattern),
        ).fetchone()
        return row[0]

    def trash(self, note_id, day):
        """Put a note into the trash; `day` is an ISO date."""
        with self._connection:
            self._connection.execute("UPDATE notes SET trashed_on = ? WHERE id = ?", (day, note_id))

    def restore(self, note_id):
        with self._connection:
            self._connection.execute("UPDATE notes SET trashed_on = NULL WHERE id = ?", (note_id,))

    def list_trash(self):
        """Notes in the trash, those that have been there longest first."""
        rows = self._connection.execute(SELECT + " WHERE trashed_on IS NOT NULL ORDER BY trashed_on, id")
        return [_note(row) for row in rows]

    def empty_trash(self, before):
        """Delete for good what was put into the trash before the day `before`; return how many notes that were."""
        with self._connection:
            return self._connection.execute("DELETE FROM notes WHERE trashed_on < ?", (before,)).rowcount


def _note(row):
    note_id, title, body, pinned, trashed_on = row
    return {"id": note_id, "title": title, "body": body, "pinned": bool(pinned), "trashed_on": trashed_on}
