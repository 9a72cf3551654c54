"""Logs of Inspect evaluations as rows: a sample of an epoch is an answer.

    task_id        TASK/ID of the sample        sample      its epoch, from 0
    quality        what --scorer says           cost_usd    what Inspect counted, else list prices, else null
    repo, category, language, difficulty        of the sample's metadata; category is else the task
    latency_s      working time: without waiting for rate limits and for shared resources

Scores become qualities as Inspect's own `value_to_float` does it (inspect_ai.scorer): C, I, P and N are 1, 0, 0.5 and
0, yes and no 1 and 0. Invariants: an error of the sample is a failure of the infrastructure with no quality, whatever
was scored; a limit that stopped the model is not, and counts as it was scored; what a grader used is not the answer's.
Left out: metrics over epochs, and transcripts, and so how tokens were spread over calls: where a list price rises
with a prompt's length, all input of a sample counts as one prompt.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from krins.domain import FailureKind, Usage
from krins.environments.imports.common import Row
from krins.environments.imports.inspect_files import Sample, read_log
from krins.errors import TableError, boundary
from krins.models.prices import CataloguePrice, Vendor, known_model, price_source

_VENDORS: Mapping[str, Vendor] = {"openai": "openai", "anthropic": "anthropic", "google": "google"}
_WORDS = {"c": 1.0, "i": 0.0, "p": 0.5, "n": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_DESCRIBED = ("repo", "category", "language", "difficulty")


class _Spent(NamedTuple):
    usd: float | None
    usage: Usage | None


def inspect_rows(logs: Sequence[Path], scorer: str | None, notes: Counter[str]) -> Iterator[Row]:
    """Rows of all samples in `logs`; `scorer` is NAME, or NAME.KEY where its scores are dictionaries.

    Raises:
        TableError: a log cannot be read, `scorer` is not in it or is needed, or a score is no number in [0, 1].
    """
    for path in logs:
        n_samples = 0
        for header, record, sample in read_log(path):
            if n_samples == 0 and header.get("status") != "success":
                notes[f"logs of evaluations that did not end well ({header.get('status')})"] += 1
            n_samples += 1
            if sample.get("invalidation"):
                notes["samples left out: they were declared invalid"] += 1
            else:
                with boundary(TableError, f"{record}: not a sample as Inspect writes it", "write the log out again"):
                    row = _row(header["eval"], sample, scorer, record, notes)
                yield row
        if n_samples == 0:
            notes["logs without any sample"] += 1


def _row(spec: Mapping[str, Any], sample: Sample, scorer: str | None, record: str, notes: Counter[str]) -> Row:
    metadata = sample.get("metadata") or {}
    described = {name: metadata[name] for name in _DESCRIBED if isinstance(metadata.get(name), str)}
    at = _moment(sample.get("completed_at") or sample.get("started_at") or spec.get("created"))
    spent = _spent(spec, sample, 0.0 if at is None else at.timestamp(), notes)
    has_failed = bool(sample.get("error"))
    if has_failed:
        notes["samples ended in an error: failures of the infrastructure, without a quality"] += 1
    if sample.get("limit"):
        notes["samples were stopped by a limit: they count as they were scored"] += 1
    return {
        "task_id": f"{spec['task']}/{sample['id']}",
        "model": spec["model"],
        "sample": sample.get("epoch", 1) - 1,
        "quality": None if has_failed else _quality(sample.get("scores") or {}, scorer, record, notes),
        "cost_usd": spent.usd,
        "input_tokens": spent.usage and spent.usage.input_tokens,
        "output_tokens": spent.usage and spent.usage.output_tokens,
        "latency_s": sample.get("working_time"),
        "failure": FailureKind.INFRASTRUCTURE.value if has_failed else None,
        "category": spec["task"],
        **described,
        "prompt": _prompt(sample, notes),
        "date": at and at.date().isoformat(),
        "source": record,
    }


def _quality(scores: Mapping[str, Any], scorer: str | None, record: str, notes: Counter[str]) -> float | None:
    values = {name: score.get("value") for name, score in scores.items()}
    flat = {name: value for name, value in values.items() if not isinstance(value, dict)}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": part for key, part in value.items()}
    if not flat:
        notes["samples were not scored"] += 1
        return None
    if scorer is None and len(flat) > 1:
        raise TableError(f"{record}: scored as {', '.join(flat)}", "choose one with --scorer NAME")
    name = scorer or next(iter(flat))
    if name not in flat:
        raise TableError(f"{record}: there is no score {name}; it has {', '.join(flat)}", "choose another --scorer")
    quality = _number(flat[name])
    if quality is None:
        raise TableError(f"{record}: the score {name} is {flat[name]!r}, which is no number", "choose another --scorer")
    if math.isnan(quality):
        notes["samples could not be scored"] += 1
        return None
    if not 0 <= quality <= 1:
        raise TableError(f"{record}: the score {name} is {quality}, outside [0, 1]", "choose another --scorer")
    return quality


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        if value.lower() in _WORDS:
            return _WORDS[value.lower()]
        try:
            return float(value)
        except ValueError:
            return None
    if value is None:
        return math.nan
    return float(value) if isinstance(value, int | float) else None


def _spent(spec: Mapping[str, Any], sample: Sample, at_seconds: float, notes: Counter[str]) -> _Spent:
    """What answering took; null where no usage was counted, and without dollars where a price is not known."""
    used = {model: _usage(counts) for model, counts in (sample.get("model_usage") or {}).items()}
    counted = [counts.get("total_cost") for counts in (sample.get("model_usage") or {}).values()]
    grading = (sample.get("role_usage") or {}).get("grader")
    if grading:
        grader = ((spec.get("model_roles") or {}).get("grader") or {}).get("model") or spec["model"]
        used[grader] = _less(used.get(grader, Usage(0, 0)), _usage(grading))
        notes["samples: what their grader used is left out of tokens and cost"] += 1
    if not used:
        return _Spent(None, None)
    total = Usage(
        sum(usage.input_tokens for usage in used.values()), sum(usage.output_tokens for usage in used.values())
    )
    if not grading and all(usd is not None for usd in counted):
        return _Spent(sum(counted), total)
    prices = [_price_usd(model, usage, at_seconds) for model, usage in used.items() if usage.tokens]
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        notes[f"samples: a model's price is not known to {price_source()}"] += 1
        return _Spent(None, total)
    notes[f"samples: costs are tokens at the list prices of {price_source()}"] += 1
    return _Spent(float(sum(known, Decimal(0))), total)


def _usage(counts: Mapping[str, Any]) -> Usage:
    """Inspect's input tokens are those at the full rate, without what was read from or written to a prompt cache."""
    read, written = (counts.get(f"input_tokens_cache_{what}") or 0 for what in ("read", "write"))
    return Usage(
        counts["input_tokens"] + read + written, counts["output_tokens"], cached_tokens=read, cache_write_tokens=written
    )


def _less(usage: Usage, part: Usage) -> Usage:
    names = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens")
    return Usage(**{name: max(0, getattr(usage, name) - getattr(part, name)) for name in names})


def _price_usd(model: str, usage: Usage, at_seconds: float) -> Decimal | None:
    """At list price; None for a model of another vendor, or of a vendor's model as somebody else sells it."""
    vendor, _, name = model.partition("/")
    info = known_model(_VENDORS[vendor], name) if vendor in _VENDORS else None
    return None if info is None else CataloguePrice(_VENDORS[vendor], info.id).cost_usd(usage, at_seconds)


def _prompt(sample: Sample, notes: Counter[str]) -> str | None:
    """The question: a text, or what the user says in messages; long texts may be kept as attachments."""
    given, kept = sample.get("input"), sample.get("attachments") or {}
    messages = [given] if isinstance(given, str) else [_text(m) for m in given or () if m.get("role") == "user"]
    texts = [kept.get(text.removeprefix("attachment://"), text) for text in messages]
    if any(text.startswith("attachment://") for text in texts):
        notes["samples: the prompt is an attachment that is not in the log"] += 1
        return None
    return "\n\n".join(texts) or None


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
