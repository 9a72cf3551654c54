"""Command line: `python -m unitlint check|order FOLDER` and `python -m unitlint env FOLDER UNIT`."""

import sys
from pathlib import Path

from unitlint.checks import check_all
from unitlint.environment import environment
from unitlint.order import start_order
from unitlint.parser import UnitError
from unitlint.units import load_units


def main(arguments):
    try:
        return run(*arguments)
    except (UnitError, ValueError) as failure:
        print(f"unitlint: {failure}", file=sys.stderr)
        return 2


def run(command="", folder="", *names):
    if command == "check" and folder and not names:
        findings = check_all(load_units(Path(folder)))
        print(*findings, sep="\n", end="\n" if findings else "")
        return 1 if findings else 0
    if command == "order" and folder and not names:
        print(*start_order(Path(folder)), sep="\n")
        return 0
    if command == "env" and len(names) == 1:
        units = load_units(Path(folder))
        if names[0] not in units:
            raise ValueError(f"{names[0]} is not there")
        for name, value in sorted(environment(units[names[0]]).items()):
            print(f"{name}={value}")
        return 0
    raise ValueError("usage: check FOLDER, order FOLDER, or env FOLDER UNIT")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
