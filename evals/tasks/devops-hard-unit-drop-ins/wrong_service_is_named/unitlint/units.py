"""The services in a folder."""

import os

from unitlint.parser import parse


class Unit:
    def __init__(self, name, assignments):
        self.name = name
        self._assignments = _counting(assignments)

    def all(self, section, key):
        """All assignments to a key, in order: of keys that hold lists."""
        return [found for found in self._assignments if (found.section, found.key) == (section, key)]

    def last(self, section, key):
        """The assignment that counts, of keys that hold one value; None if there is none."""
        found = self.all(section, key)
        return found[-1] if found else None


def load_units(folder):
    """The services in a folder, by name, sorted, each with its drop-ins."""
    return {name: _load(folder, name) for name in sorted(path.name for path in folder.glob("*.service"))}


def _load(folder, name):
    files = [name, *_drop_ins(folder, name)]
    return Unit(name, [found for path in files for found in parse((folder / path).read_text(encoding="utf-8"), name)])


def _drop_ins(folder, name):
    """Paths relative to the folder, in the order in which they are read."""
    by_name = {}
    for place in ("service.d", f"{name}.d"):  # a service's own files replace the general ones
        by_name.update((path.name, f"{place}/{path.name}") for path in (folder / place).glob("*.conf"))
    return [by_name[found] for found in sorted(by_name, key=os.fsencode)]


def _counting(assignments):
    """The assignments that were not taken back by an empty one."""
    counting = []
    for new in assignments:
        if new.value:
            counting.append(new)
        else:
            counting = [found for found in counting if (found.section, found.key) != (new.section, new.key)]
    return counting
