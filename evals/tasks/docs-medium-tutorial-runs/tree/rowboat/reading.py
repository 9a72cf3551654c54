"""Tables from files."""

import csv
from decimal import Decimal
from pathlib import Path

from rowboat.table import Table


def read_csv(path, numbers=()):
    """A table of a file whose first line names the columns. Values of the columns `numbers` become numbers."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    for name in numbers:
        columns[name] = tuple(map(_number, columns[name]))
    return Table(columns)


def _number(text):
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number
