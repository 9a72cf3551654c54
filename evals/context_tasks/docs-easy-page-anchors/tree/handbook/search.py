"""A search index over pages."""

import re
from collections import defaultdict

STOP_WORDS = {"a", "an", "and", "in", "is", "of", "or", "the", "to"}


def words_of(text):
    return [word for word in re.findall(r"\w+", text.lower()) if word not in STOP_WORDS]


class Index:
    def __init__(self):
        self._pages = defaultdict(set)

    def add(self, page, text):
        for word in words_of(text):
            self._pages[word].add(page)

    def find(self, query):
        """Pages that hold all words, sorted."""
        found = [self._pages.get(word, set()) for word in words_of(query)]
        return sorted(set.intersection(*found)) if found else []
