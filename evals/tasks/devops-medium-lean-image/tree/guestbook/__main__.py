"""Serves the guestbook."""

import os
from pathlib import Path

from guestbook.app import application
from guestbook.migrate import pending


def main():
    import psycopg  # these two are there in the image alone
    import waitress

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("create table if not exists migrations (name text primary key)")
        done = [name for (name,) in connection.execute("select name from migrations")]
        for path in pending(Path("migrations"), done):
            connection.execute(path.read_text())
            connection.execute("insert into migrations values (%s)", (path.name,))
    waitress.serve(application, port=int(os.environ.get("PORT", "8000")))


if __name__ == "__main__":
    main()
