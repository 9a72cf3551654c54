"""Requests, as functions from a repository and parameters to a status and a body."""

from notes.text import excerpt

MOST_RESULTS = 50


def get_search(repository, query):
    """GET /search?q=TEXT&limit=N. `query` holds the parameters as strings."""
    text = query.get("q", "").strip()
    if not text:
        return 422, {"error": "q is missing"}
    limit = query.get("limit", "20")
    if not limit.isdigit() or not 1 <= int(limit) <= MOST_RESULTS:
        return 422, {"error": f"limit must be a number from 1 to {MOST_RESULTS}"}
    found = repository.search(text, int(limit))
    return 200, {"total": repository.count_matches(text), "notes": [_summary(note) for note in found]}


def get_note(repository, note_id):
    """GET /notes/ID. A note in the trash can still be looked at."""
    note = repository.get(note_id)
    return (200, note) if note else (404, {"error": "no such note"})


def delete_note(repository, note_id, today):
    """DELETE /notes/ID puts a note into the trash."""
    if repository.get(note_id) is None:
        return 404, {"error": "no such note"}
    repository.trash(note_id, today)
    return 204, None


def _summary(note):
    return {"id": note["id"], "title": note["title"], "excerpt": excerpt(note["body"])}
