"""The files that Inspect writes, `.eval` (a zip) and `.json`, as a header and samples, one at a time.

Read without Inspect. Format: version 2 of its log file (inspect_ai.log, `LOG_SCHEMA_VERSION`): header.json, or
_journal/start.json of a log that never ended, and samples/ID_epoch_N.json, or samples/ID_epoch_N/sample.json where
large samples are kept in chunks. Entries are deflated or, lately, compressed with Zstandard, which Python 3.11 cannot
open and Arrow can.

Invariants: one sample is in memory at a time; every byte of a zip's entry is checked against its CRC.
Left out: what samples mean (`krins.environments.imports.inspect_ai`), their events and messages.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from krins.environments.imports.json_stream import members
from krins.errors import TableError, boundary

VERSION = 2
_ZSTANDARD = 93
_SAMPLE = re.compile(r"samples/([^/]+)(\.json|/sample\.json)")
_LOCAL_HEADER = 30
"""Bytes before the name in a zip's entry; the lengths of name and extra field are its last four."""

Sample = Mapping[str, Any]


def read_log(path: Path) -> Iterator[tuple[Mapping[str, Any], str, Sample]]:
    """(header, record, sample) for each sample of a log. The header has at least `eval` and `status`.

    Raises:
        TableError: no such file, not a log of Inspect, of a version that is not known, or cut off.
    """
    if not path.is_file():
        raise TableError(f"{path}: no such log", "give the path of an .eval or .json file")
    if path.suffix == ".eval":
        yield from _zipped(path)
    elif path.suffix == ".json":
        yield from _plain(path)
    else:
        raise TableError(f"{path}: Inspect's logs end in .eval or .json", "give the log, not its folder or export")


def _plain(path: Path) -> Iterator[tuple[Mapping[str, Any], str, Sample]]:
    header: dict[str, Any] = {}
    for key, value in members(path, "samples"):
        if key != "samples":
            header[key] = value
        elif isinstance(value, dict):
            yield _known(header, path), f"{path.name}:{value.get('id')}_epoch_{value.get('epoch')}", value
    _known(header, path)


def _zipped(path: Path) -> Iterator[tuple[Mapping[str, Any], str, Sample]]:
    damaged = boundary(
        TableError,
        f"{path}: cannot be read",
        "is it a whole .eval file? One that was cut off has lost its directory",
        catch=(zipfile.BadZipFile, OSError, ValueError, zlib.error),
    )
    with damaged, zipfile.ZipFile(path) as archive, path.open("rb") as file:
        entries = {entry.filename: entry for entry in archive.infolist()}  # of one that was rewritten, the last

        def load(name: str) -> Any:
            with boundary(TableError, f"{path}: {name} cannot be read", "write the log out again"):
                return json.loads(_content(archive, file, entries[name]))

        begun = next((name for name in ("header.json", "_journal/start.json") if name in entries), None)
        if begun is None:
            raise _foreign(path)
        header = _known({"status": "started", **load(begun)}, path)
        for name in entries:
            if found := _SAMPLE.fullmatch(name):
                beside = f"samples/{found[1]}/metadata.json"  # where a chunked sample keeps it
                sample = load(name) | ({"metadata": load(beside)} if beside in entries else {})
                yield header, f"{path.name}:{found[1]}", sample


def _content(archive: zipfile.ZipFile, file: IO[bytes], entry: zipfile.ZipInfo) -> bytes:
    if entry.compress_type != _ZSTANDARD:
        return archive.read(entry)
    import pyarrow as pa

    file.seek(entry.header_offset + _LOCAL_HEADER - 4)
    lengths = file.read(4)
    file.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), 1)
    with pa.CompressedInputStream(pa.BufferReader(file.read(entry.compress_size)), "zstd") as stream:
        content: bytes = stream.read()
    if zlib.crc32(content) != entry.CRC:
        raise zipfile.BadZipFile("its check sum is wrong")
    return content


def _known(header: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    spec = header.get("eval")
    if not isinstance(spec, dict) or not {"task", "model"} <= spec.keys():
        raise _foreign(path)
    for name in ("task", "model"):
        if not isinstance(spec[name], str):
            raise TableError(f"{path}: its {name} is {spec[name]!r}, which is no text", "write the log out again")
    if header.get("version", VERSION) != VERSION:
        raise TableError(
            f"{path}: its version is {header['version']!r}; krins reads logs whose version is the number {VERSION}",
            "write it anew with `inspect log convert`",
        )
    return header


def _foreign(path: Path) -> TableError:
    return TableError(f"{path}: not a log of Inspect: it does not say of which task and model", "give another file")
