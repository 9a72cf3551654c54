"""An index over a tree: what all its files hold, kept up to date by content.

Invariants: the graph is a function of the tree's paths and contents, whatever was indexed before, however many
processes parsed and whatever the cache held; a file is read again only if its stamp changed or it could not be read,
and parsed only if its content has not been met. Left out: finding files (`krins.context.tree`), parsing
(`krins.context.parsing`) and the cache's file (`krins.context.store`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from pathlib import Path
from typing import NamedTuple

from krins.context.assembly import Content, assemble, content_of
from krins.context.collector import uncollected
from krins.context.facts import FileFacts
from krins.context.graph import CodeGraph
from krins.context.languages import language_of
from krins.context.parallel import parse_all
from krins.context.resolve import Resolver
from krins.context.store import FactsCache, Key
from krins.context.tree import Entry, Tree, Unreadable, blob_digest
from krins.context.word_table import WordTable

_PARSER_FAILED = "parser failed"
_SLACK = 1 << 16
"""Words out of use that are not worth a new table."""


class _File(NamedTuple):
    stamp: str
    key: Key | None
    """Of its content; None where it could not be read."""
    reason: str = ""
    """Why it could not."""


class CodeIndex:
    """Not to be used from several threads at once. Holds what its last update found, and nothing older."""

    def __init__(self, tree: Tree, cache: Path | None = None, workers: int | None = None) -> None:
        """`cache` is the file to start from and to save to; `workers` the most processes that parse at a time, by
        default one for each processor that this process may use."""
        self._tree = tree
        self._cache = None if cache is None else FactsCache(cache)
        self._workers = workers
        self._files: dict[str, _File] = {}
        self._contents: dict[Key, Content | None] = {}
        """None where parsing failed."""
        self._table = WordTable()
        self._resolver = Resolver()
        self._graph: CodeGraph | None = None

    def update(self) -> CodeGraph:
        """The graph of the tree as it is now; the same object as before if nothing changed.

        Raises:
            ContextError: there is no such tree.
        """
        listing = self._tree.list()
        with uncollected():
            cached = self._cache.load() if self._cache is not None and self._graph is None else {}
            sources: dict[Key, bytes] = {}
            files = {path: self._file(path, entry, cached, sources) for path, entry in listing.entries.items()}
            self._learn(files, cached, sources)
        self._contents = {file.key: self._contents[file.key] for file in files.values() if file.key is not None}
        skipped = self._skipped(files, listing.skipped)
        if self._graph is None or skipped != self._graph.skipped or _keys(files) != _keys(self._files):
            self._graph = self._assembled(files, skipped)
        self._files = files
        return self._graph

    def save(self) -> None:
        """Write what is known of the current contents to the cache.

        Raises:
            StorageFault: it cannot be written; the index and its graph are as good as before.
        """
        if self._cache is not None:
            self._cache.save({key: content.facts for key, content in self._contents.items() if content is not None})

    def _file(self, path: str, entry: Entry, cached: Container[Key], sources: dict[Key, bytes]) -> _File:
        """What stands at `path`; its bytes go to `sources` if they are new."""
        known = self._files.get(path)
        if known is not None and known.stamp == entry.stamp and known.key is not None:
            return known
        language = language_of(path) or ""
        named = Key(language, entry.stamp)
        if named in self._contents or named in cached:  # stamps of git are names of contents: no need to read
            return _File(entry.stamp, named)
        try:
            source = self._tree.read(path)
        except Unreadable as failure:
            return _File(entry.stamp, None, failure.reason)
        key = Key(language, blob_digest(source))
        if key not in self._contents and key not in cached:
            sources[key] = source
        return _File(entry.stamp, key)

    def _learn(self, files: Mapping[str, _File], cached: Mapping[Key, FileFacts], sources: Mapping[Key, bytes]) -> None:
        parsed = parse_all([(key.language, source) for key, source in sources.items()], self._workers)
        new: dict[Key, FileFacts | None] = dict(zip(sources, parsed, strict=True))
        needed = {file.key for file in files.values() if file.key is not None} - self._contents.keys()
        new.update({key: cached[key] for key in needed - new.keys()})
        for key, facts in new.items():
            self._contents[key] = None if facts is None else content_of(facts, self._table)

    def _skipped(self, files: Mapping[str, _File], passed_over: Mapping[str, int]) -> dict[str, int]:
        reasons = Counter(passed_over)
        for file in files.values():
            if file.key is None:
                reasons[file.reason] += 1
            elif self._contents[file.key] is None:
                reasons[_PARSER_FAILED] += 1
        return dict(sorted(reasons.items()))

    def _assembled(self, files: Mapping[str, _File], skipped: Mapping[str, int]) -> CodeGraph:
        found = {path: self._contents[file.key] for path, file in sorted(files.items()) if file.key is not None}
        contents = {path: content for path, content in found.items() if content is not None}
        warnings = (self._cache.warning,) if self._cache is not None and self._cache.warning else ()
        digests = {path: file.key.digest for path, file in files.items() if file.key is not None}
        graph = assemble(
            contents, self._table, skipped=skipped, digests=digests, warnings=warnings, resolver=self._resolver
        )
        if len(self._table) > 2 * len(graph.words) + _SLACK:
            self._table = WordTable()
            self._contents = {
                key: known and content_of(known.facts, self._table) for key, known in self._contents.items()
            }
        return graph


def _keys(files: Mapping[str, _File]) -> dict[str, Key | None]:
    return {path: file.key for path, file in files.items()}


__all__ = ["CodeIndex"]
