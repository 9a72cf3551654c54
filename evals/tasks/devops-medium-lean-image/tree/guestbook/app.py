"""The WSGI application."""

from html import escape
from pathlib import Path

TEMPLATE = Path(__file__).parent / "templates" / "page.html"


def page(entries):
    items = "".join(f"<li><b>{escape(name)}</b> {escape(text)}</li>" for name, text in entries)
    return TEMPLATE.read_text(encoding="utf-8").replace("{{entries}}", items)


def application(environment, start_response):
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [page(environment.get("guestbook.entries", [])).encode()]
