"""The services in a folder."""

from unitlint.parser import parse


class Unit:
    def __init__(self, name, assignments):
        self.name = name
        self._assignments = list(assignments)

    def all(self, section, key):
        """All assignments to a key, in order: of keys that hold lists."""
        return [found for found in self._assignments if (found.section, found.key) == (section, key)]

    def last(self, section, key):
        """The assignment that counts, of keys that hold one value; None if there is none."""
        found = self.all(section, key)
        return found[-1] if found else None


def load_units(folder):
    """The services in a folder, by name, sorted."""
    paths = sorted(folder.glob("*.service"), key=lambda path: path.name)
    return {path.name: Unit(path.name, parse(path.read_text(encoding="utf-8"), path.name)) for path in paths}
