"""The table."""

from fractions import Fraction

from rowboat.errors import NoSuchColumn


class Table:
    """Columns of one length, by name. A table never changes: what would change it returns a new one."""

    def __init__(self, columns):
        self._columns = {name: tuple(values) for name, values in columns.items()}

    def __len__(self):
        return len(next(iter(self._columns.values()), ()))

    def __getitem__(self, name):
        """All values of a column, as a tuple."""
        if name not in self._columns:
            raise NoSuchColumn(name, tuple(self._columns))
        return self._columns[name]

    def __str__(self):
        """Numbers are to the right, everything else to the left."""
        lines = [[] for _ in range(len(self) + 1)]
        for name, values in self._columns.items():
            cells = [name, *map(str, values)]
            width = max(map(len, cells))
            right = all(not isinstance(value, str) for value in values)
            for line, cell in zip(lines, cells, strict=True):
                line.append(cell.rjust(width) if right else cell.ljust(width))
        return "\n".join("  ".join(line).rstrip() for line in lines)

    def _rows(self, places):
        places = list(places)
        return Table({name: [values[place] for place in places] for name, values in self._columns.items()})

    def where(self, **conditions):
        """The rows that meet a condition in each of these columns: a function of the value, or a value."""
        tests = [(self[name], one if callable(one) else one.__eq__) for name, one in conditions.items()]
        return self._rows(place for place in range(len(self)) if all(test(values[place]) for values, test in tests))

    def sorted_by(self, name, descending=False):
        """The rows in the order of a column; rows with the same value stay in their order."""
        values = self[name]
        return self._rows(sorted(range(len(self)), key=values.__getitem__, reverse=descending))

    def count_by(self, name):
        """How often each value is in a column, the most frequent first, equally frequent ones in order."""
        values = self[name]
        return {value: values.count(value) for value in sorted(set(values), key=lambda one: (-values.count(one), one))}

    def mean(self, name):
        """The average of a column of numbers, exactly."""
        return sum(map(Fraction, self[name])) / len(self)
