"""How `krins-context` shows a graph and a selected context."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from krins.context.graph import CodeGraph
from krins.context.selection import Context
from krins.interfaces import IntArray

_COLUMNS = ("files", "lines", "symbols", "imports", "calls")


def counted(graph: CodeGraph) -> dict[str, Any]:
    """Counts by language, in all, and of what was skipped. `imports` are between files, `calls` between symbols."""
    languages = sorted({facts.language for facts in graph.facts})
    number = {language: index for index, language in enumerate(languages)}
    of_file = np.array([number[facts.language] for facts in graph.facts], dtype=np.int64)

    def by_language(files: IntArray, weights: IntArray | None = None) -> list[int]:
        counts: list[int] = np.bincount(of_file[files], weights, minlength=len(languages)).astype(np.int64).tolist()
        return counts

    files = np.arange(graph.n_files)
    rows = zip(
        by_language(files),
        by_language(files, np.array([facts.n_lines for facts in graph.facts])),
        by_language(graph.definition_files),
        by_language(files, np.diff(graph.imports.indptr)),
        by_language(graph.file_of_unit, np.diff(graph.calls.indptr)),
        strict=True,
    )
    found = {language: dict(zip(_COLUMNS, row, strict=True)) for language, row in zip(languages, rows, strict=True)}
    total = {column: sum(counts[column] for counts in found.values()) for column in _COLUMNS}
    return {
        "total": total,
        "languages": found,
        "words": len(graph.words),
        "mentions": len(graph.mention_words),
        "skipped": dict(graph.skipped),
    }


def as_table(found: dict[str, Any]) -> str:
    """What `counted` gives, for a terminal."""
    rows = [*found["languages"].items(), ("total", found["total"])]
    lines = ["".join([f"{'':<12}", *(f"{column:>10}" for column in _COLUMNS)])]
    lines += ["".join([f"{name:<12}", *(f"{counts[column]:>10,}" for column in _COLUMNS)]) for name, counts in rows]
    lines.append(f"{found['words']:,} words, mentioned {found['mentions']:,} times")
    if found["skipped"]:
        lines.append("skipped: " + ", ".join(f"{count:,} {reason}" for reason, count in found["skipped"].items()))
    return "\n".join(lines)


def context_as_json(context: Context) -> dict[str, Any]:
    return {
        "text": context.text,
        "tokens": context.tokens,
        "budget_tokens": context.budget_tokens,
        "source_tokens": context.source_tokens,
        "tokenizer": context.tokenizer,
        "files": [
            {"path": one.path, "level": one.level.name.lower(), "ranges": [list(lines) for lines in one.ranges]}
            for one in context.excerpts
        ],
        "named": list(context.named),
        "n_left_out": context.n_left_out,
    }


def summary(context: Context, graph: CodeGraph) -> str:
    """One line: what it costs, and how much of how many files is shown."""
    levels = Counter(one.level for one in context.excerpts)
    shown = [f"{count} {level.name.lower()}" for level, count in sorted(levels.items(), reverse=True)]
    shown += [f"{len(context.named)} named"] if context.named else []
    shown += [f"{context.n_left_out} left out"] if context.n_left_out else []
    share = context.tokens / context.source_tokens if context.source_tokens else 0.0
    skipped = sum(graph.skipped.values())
    return (
        f"{context.tokens:,} of {context.budget_tokens:,} tokens ({context.tokenizer}), {share:.1%} of the sources; "
        f"files: {', '.join(shown)}; {skipped} skipped"
    )


__all__ = ["as_table", "context_as_json", "counted", "summary"]
