"""Anchors of headings."""

import re


class Anchors:
    """The anchors of one page: no two are the same."""

    def __init__(self):
        self._taken = set()

    def add(self, title):
        """The anchor of the next heading: its words in lower case, with a letter behind for one that is taken."""
        words = re.findall(r"[a-z0-9]+", title.lower())
        base = "s-" + "_".join(words)
        anchor = base
        for letter in "bcdefghijklmnopqrstuvwxyz":
            if anchor not in self._taken:
                break
            anchor = f"{base}_{letter}"
        self._taken.add(anchor)
        return anchor
