"""The answer cache: what a model once answered is taken from disk, at no cost now.

`Cached` stands around a model, `AnswerStore` keeps the answers of all processes of a machine in one SQLite file. What
counts as the same question: `krins.models.cache.fingerprint`; what else may, where a suite asks for that:
`krins.models.cache.meaning`; what is kept: `krins.models.cache.kept`; and the file: `krins.models.cache.file`.
"""

from __future__ import annotations

from krins.models.cache.cached import Cached
from krins.models.cache.store import AnswerStore, CacheStats

__all__ = ["AnswerStore", "CacheStats", "Cached"]
