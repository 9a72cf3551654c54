"""The gate of secrets: no key, token or password comes into the tree.

detect-secrets looks, with its plugins and those of provider_tokens.py. Its answer holds a hash instead of the secret,
and so evidence names kind and place and never any part of it. A secret that the texts which the change replaces or
removes held already is old. What stands beside a word such as `password` (keyword_values.py), and a password in an
address, are guesses: in tests and prose they are said and do not fail. Comments that excuse a line count for nothing.
Invariant: nothing is asked over the network whether a secret is valid.
Left out: random-looking text without a known form, since hashes and test data look the same; a second private key in a
file that holds one already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from krins.domain import Change, GateStatus
from krins.quality.gates.base import CheckedGate, Opinion
from krins.quality.gates.findings import Finding, Scanned, lines_of, opinion_of, scan_change
from krins.quality.gates.kinds import is_prose, is_test
from krins.quality.gates.tools import number_of, python_tool, run_over

_PLUGINS = str(Path(__file__).with_name("provider_tokens.py"))
_LABELS = f"file://{Path(__file__).with_name('keyword_values.py')}::is_plain_word"
_EXCUSES = "detect_secrets.filters.allowlist.is_line_allowlisted"
"""Its filters by the name of a file find nothing to excuse either: here, files are called by numbers."""
_WITHOUT = ("Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector")
_GUESSES = frozenset({"Secret Keyword", "Basic Auth Credentials"})
_BLOCKS = frozenset({"Private Key", "Private key block"})
_READ_BY_SUFFIX = frozenset(
    {".cls", ".go", ".java", ".js", ".php", ".py", ".pyi", ".swift", ".tf", ".c", ".cs", ".h", ".cpp", ".yaml", ".yml"}
    | {".toml", ".ini", ".json", ".cfg", ".properties", ".ts", ".rb", ".rs"}
)
"""Suffixes that say how an assignment looks; any other text is read as prose is, images by name among them."""


class SecretsGate(CheckedGate):
    name = "secrets"

    def _look(self, change: Change) -> Opinion:
        scanned = scan_change(change, lambda path, text: True, _scan)
        if scanned is None:
            return Opinion(GateStatus.NOT_NEEDED, "the change writes no file")
        return opinion_of(scanned)


def _scan(texts: Mapping[str, str]) -> Scanned:
    if not texts:
        return Scanned(())
    command = [*python_tool("detect_secrets"), "scan", "--all-files", "--no-verify", "-p", _PLUGINS]
    command += ["--disable-filter", _EXCUSES, "--filter", _LABELS]
    command += [part for name in _WITHOUT for part in ("--disable-plugin", name)]
    answer, paths = run_over(texts, [*command, "."], _suffix)
    return Scanned(list(_findings(answer["results"], paths, texts)))


def _findings(
    results: Mapping[str, Sequence[Mapping[str, Any]]], paths: Sequence[str], texts: Mapping[str, str]
) -> Iterator[Finding]:
    for file, secrets in results.items():
        path = paths[number_of(file)]
        for secret in secrets:
            kind, line = secret["type"], secret["line_number"]
            fails = kind not in _GUESSES or not (is_test(path) or is_prose(path))
            # The hash of a key block is that of its first line, which all keys share.
            identity = lines_of(texts[path], line, line + 1) if kind in _BLOCKS else secret["hashed_secret"]
            yield Finding(path, line, kind, "a secret in plain text (masked)", identity, fails)


def _suffix(path: str) -> str:
    suffix = Path(path).suffix.lower()
    return suffix if suffix in _READ_BY_SUFFIX else ".txt"
