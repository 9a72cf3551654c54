"""python -m depot migrate|status DATABASE FOLDER"""

import sys

from depot.database import connect
from depot.migrations import MigrationFailed, applied, migrate, pending
from depot.scripts import read_scripts


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in ("migrate", "status"):
        print(__doc__, file=sys.stderr)
        return 2
    command, path, folder = arguments
    connection, scripts = connect(path), read_scripts(folder)
    if command == "status":
        for name in applied(connection):
            print(f"applied  {name}")
        for name, _ in pending(connection, scripts):
            print(f"pending  {name}")
        return 0
    try:
        for name in migrate(connection, scripts):
            print(f"applied  {name}")
    except MigrationFailed as failure:
        print(f"failed   {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
