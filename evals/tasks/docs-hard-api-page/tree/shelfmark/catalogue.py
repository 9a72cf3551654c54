"""Which books there are."""

__all__ = ["Catalogue", "find", "normalised"]


def normalised(title):
    """A title as it is compared: in small letters, without an article.

    >>> normalised("The Tempest")
    'tempest'

    Used by `find` and `Catalogue.find`.
    """
    first, _, rest = title.lower().partition(" ")
    return rest if first in ("a", "an", "the") and rest else title.lower()


def find(titles, title):
    """Titles that are the same as `title` once `normalised`; for codes, see `labels.find`."""
    return [one for one in titles if normalised(one) == normalised(title)]


class Catalogue:
    """Books by number.

    A book enters with `add` and is lent with `lend`.
    """

    def __init__(self, titles=()):
        self._titles = list(titles)

    def __len__(self):
        return len(self._titles)

    def add(self, title):
        """Take up a book; what comes back is its number, with which `find` returns it."""
        self._titles.append(title)
        return len(self._titles) - 1

    def find(self, title):
        """Numbers of all copies. Compares as `catalogue.find` does."""
        return [number for number, one in enumerate(self._titles) if find([one], title)]

    @property
    def titles(self):
        """All titles, in the order in which they came."""
        return tuple(self._titles)

    @titles.setter
    def titles(self, titles):
        self._titles = list(titles)
