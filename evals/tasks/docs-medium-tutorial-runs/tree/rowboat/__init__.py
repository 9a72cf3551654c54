"""Small tables, asked in plain Python."""

from rowboat.conditions import above, at_least, at_most, below, one_of
from rowboat.errors import NoSuchColumn
from rowboat.reading import read_csv
from rowboat.table import Table

__all__ = ["NoSuchColumn", "Table", "above", "at_least", "at_most", "below", "one_of", "read_csv"]
__version__ = "2.1.0"
