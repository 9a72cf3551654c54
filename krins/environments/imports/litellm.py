"""Spend logs of a LiteLLM proxy as rows: the calls of one session for one task and model are an answer.

Read are the rows of LiteLLM's table `LiteLLM_SpendLogs`: as its API `/spend/logs` or `/spend/logs/v2` gives them
(`.json`), a line each (`.jsonl`), or as PostgreSQL exports them with `COPY ... CSV HEADER` (`.csv`).

    task_id     the metadata or tag KEY that the client gave: `spend_logs_metadata: {KEY: ...}` or `tags: ["KEY:..."]`;
                else a hash of the messages, where the proxy stores them; else the session
    model       the name that the client asked for (`model_group`), else the provider's
    sample      answers of one task and model, numbered by when they began; times without a zone are in UTC
    cost_usd    the sum over calls; unknown where LiteLLM counted 0 for tokens: it writes so for a price that it does
                not know and for an answer of its cache, and neither is what the model costs

Quality is in no spend log: it comes from a file of `quality` by `request_id`, `session_id`, or `task_id` and `model`.
Invariants: calls are kept on disk, so memory does not grow with their number; an answer whose calls all failed is a
failure of the infrastructure without a quality, or of the model with quality 0 where its error says so.
Left out: what other calls than of text models cost, and budgets, keys and teams.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from krins.domain import FailureKind
from krins.environments.imports.common import GROUP, Row, check_texts, querying
from krins.environments.imports.json_stream import members
from krins.environments.imports.qualities import join_qualities
from krins.errors import TableError, boundary

_NEEDED = ("request_id", "model", "spend", "prompt_tokens", "completion_tokens", "startTime", "endTime")
_DESCRIBED = ("repo", "category", "language", "difficulty")
_MODEL_ERRORS = ("ContextWindowExceededError", "ContentPolicyViolationError")
"""LiteLLM's names for what is the model's own fault."""
_MOST_TOKENS = 2**53
"""Of one call: up to there a float holds every whole number."""
_CALL_TEXTS = (
    *("request_id", "session_id", "task_id", "model", "provider", "error", "prompt", "started", "source"),
    *_DESCRIBED,
)
_CALL_REALS = ("cost_usd", "seconds")
_CALL_COUNTS = ("number", "input_tokens", "output_tokens", "has_failed")

_ANSWERS = f"""
    select task_id, model,
        row_number() over (partition by task_id, model order by min(started), min(number)) - 1 as sample,
        arg_max(quality, number) as quality,
        case when count(cost_usd) = count(*) then sum(cost_usd order by number) end as cost_usd,
        case when count(input_tokens) = count(*) then sum(input_tokens)::bigint end as input_tokens,
        case when count(output_tokens) = count(*) then sum(output_tokens)::bigint end as output_tokens,
        sum(seconds order by number) as latency_s,
        bool_and(has_failed = 1) as has_failed, arg_max(error, number) as error,
        arg_min(prompt, number) as prompt, left(min(started), 10) as date, arg_min(source, number) as source,
        arg_min(provider, number) as provider, {", ".join(f"arg_min({name}, number) as {name}" for name in _DESCRIBED)}
    from judged group by task_id, model, session_id order by task_id, model, sample
"""


def litellm_rows(log: Path, task_key: str, qualities: Path | None, notes: Counter[str]) -> Iterator[Row]:
    """Rows of all answers in a spend log, sorted by task, model and sample.

    Raises:
        TableError: a file cannot be read or is none of those, or a value in it cannot be; the message names the call.
    """
    with TemporaryDirectory() as folder:
        calls = Path(folder) / "calls.parquet"
        _spool((_call(record, number, log, task_key, notes) for number, record in _records(log)), calls)
        with querying(calls) as ask:
            n_unused = join_qualities(qualities, ask)
            if n_unused:
                notes["qualities fit no call"] += n_unused
            for answer in ask(_ANSWERS):
                yield _row(answer, notes)


def _row(answer: dict[str, Any], notes: Counter[str]) -> Row:
    if answer.pop("has_failed"):
        is_model = answer["error"] in _MODEL_ERRORS
        notes[f"answers failed ({'the model' if is_model else 'infrastructure'})"] += 1
        answer["failure"] = (FailureKind.MODEL if is_model else FailureKind.INFRASTRUCTURE).value
        answer["quality"] = 0.0 if is_model else None
        if not answer["cost_usd"]:
            answer |= dict.fromkeys(("cost_usd", "input_tokens", "output_tokens"))  # nothing came back to count
    elif answer["quality"] is None:
        notes["answers without a quality"] += 1
    return answer


def _records(log: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(number from 1, record) of each call."""
    if not log.is_file():
        raise TableError(f"{log}: no such file", "give what /spend/logs returned, or an export of LiteLLM_SpendLogs")
    if log.suffix == ".csv":
        yield from enumerate(_csv_records(log), start=1)
    elif log.suffix in (".json", ".jsonl"):
        found = (value for key, value in members(log, "data") if key == "data")
        yield from enumerate(found, start=1)
    else:
        raise TableError(f"{log}: spend logs end in .json, .jsonl or .csv", "convert or rename the file")


def _csv_records(log: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(1 << 30)  # a field may hold a whole answer
    unreadable = boundary(
        TableError, f"{log}: cannot be read", "is it a CSV file?", catch=(OSError, ValueError, csv.Error)
    )
    with unreadable, log.open(encoding="utf-8-sig", newline="") as file:
        for record in csv.DictReader(file):
            yield {name: None if value == "" else value for name, value in record.items()}


def _call(record: Any, number: int, log: Path, task_key: str, notes: Counter[str]) -> dict[str, Any]:
    source = f"{log.name}:{number}"
    absent = [name for name in _NEEDED if not isinstance(record, dict) or name not in record]
    if absent:
        raise TableError(
            f"{source}: no call of LiteLLM_SpendLogs: there is no {', '.join(absent)}",
            "give what /spend/logs?summarize=false or /spend/logs/v2 returned, or an export of that table",
        )
    with boundary(TableError, f"{source}: cannot be understood", "mend or leave out that record"):
        call = _understood(record, number, source, task_key, notes)
        check_texts(call, _CALL_TEXTS)
        return call


def _understood(
    record: Mapping[str, Any], number: int, source: str, task_key: str, notes: Counter[str]
) -> dict[str, Any]:
    metadata = _json(record.get("metadata")) or {}
    given = metadata.get("spend_logs_metadata") or {}
    messages = _messages(record)
    session = str(record.get("session_id") or record["request_id"])
    begun, ended = _moment(record["startTime"]), _moment(record["endTime"])
    inputs, outputs = _n_tokens(record, "prompt_tokens"), _n_tokens(record, "completion_tokens")
    has_failed = record.get("status") == "failure" or metadata.get("status") == "failure"
    return {
        "number": number,
        "request_id": record["request_id"],
        "session_id": session,
        "task_id": _task(record, given, messages, session, task_key, notes),
        "model": record.get("model_group") or record["model"],
        "provider": record.get("custom_llm_provider"),
        "cost_usd": _cost_usd(record, inputs + outputs, notes),
        "input_tokens": inputs,
        "output_tokens": outputs,
        "seconds": (ended - begun).total_seconds(),
        "started": begun.isoformat(timespec="microseconds"),  # so that their texts sort as they do
        "has_failed": int(has_failed),
        "error": (_json(metadata.get("error_information")) or {}).get("error_class"),
        "prompt": _prompt(messages),
        "source": source,
        **{name: given[name] for name in _DESCRIBED if isinstance(given.get(name), str)},
    }


def _task(
    record: Mapping[str, Any],
    given: Mapping[str, Any],
    messages: Any,
    session: str,
    task_key: str,
    notes: Counter[str],
) -> str:
    tags = [tag for tag in _json(record.get("request_tags")) or () if isinstance(tag, str)]
    named = given.get(task_key) or next((tag.partition(":")[2] for tag in tags if tag.startswith(f"{task_key}:")), None)
    if named:
        return str(named)
    if messages:
        notes[f"calls without {task_key}: their task is their messages, by hash"] += 1
        return hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()[:16]
    notes[f"calls without {task_key} or messages: their task is their session"] += 1
    return session


def _n_tokens(record: Mapping[str, Any], name: str) -> int:
    """A CSV file holds numbers as text."""
    number = float(record[name])
    if isinstance(record[name], bool) or not number.is_integer() or not 0 <= number < _MOST_TOKENS:
        raise ValueError(f"{name} is {record[name]}, and is a whole number")
    return int(number)


def _cost_usd(record: Mapping[str, Any], n_tokens: int, notes: Counter[str]) -> float | None:
    usd = float(record["spend"])
    if not 0 <= usd < math.inf:
        raise ValueError(f"spend is {usd}")
    if usd or not n_tokens:
        return usd
    is_cached = str(record.get("cache_hit")).lower() == "true"
    notes[f"calls: a spend of 0 taken as unknown ({'answered by the cache' if is_cached else 'no price'})"] += 1
    return None


def _messages(record: Mapping[str, Any]) -> Any:
    """What was asked; None where the proxy does not store it."""
    return _json(record.get("messages")) or (_json(record.get("proxy_server_request")) or {}).get("messages")


def _prompt(messages: Any) -> str | None:
    """What the user says in them."""
    if not isinstance(messages, list):
        return None
    said = [message.get("content") for message in messages if message.get("role") == "user"]
    return "\n\n".join(text for text in said if isinstance(text, str)) or None


def _json(value: Any) -> Any:
    """A CSV file holds JSON as text."""
    return json.loads(value) if isinstance(value, str) else value


def _moment(text: str) -> datetime:
    """In UTC, as the proxy writes it where it names no zone."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _spool(calls: Iterator[dict[str, Any]], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = ((_CALL_TEXTS, pa.string()), (_CALL_REALS, pa.float64()), (_CALL_COUNTS, pa.int64()))
    schema = pa.schema([(name, kind) for names, kind in kinds for name in names])
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(calls, GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema))
