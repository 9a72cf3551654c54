"""Formats of tokens that detect-secrets 1.5 does not know: loaded by it, by this file's path, as its plugins.

Invariant: a class here is one kind of token. Left out: kinds that detect-secrets knows already.
"""

from __future__ import annotations

import re

from detect_secrets.plugins.base import RegexBasedDetector


class AnthropicDetector(RegexBasedDetector):
    secret_type = "Anthropic key"
    denylist = (re.compile(r"\bsk-ant-[A-Za-z0-9_-]{20,}"),)


class OpenAIProjectDetector(RegexBasedDetector):
    """Beside the legacy form, whose middle is always the same; that one is detect-secrets' own."""

    secret_type = "OpenAI key"
    denylist = (re.compile(r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}"), re.compile(r"\bsk-[A-Za-z0-9]{48}\b"))


class GoogleDetector(RegexBasedDetector):
    secret_type = "Google API key"
    denylist = (re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),)


class NpmAccessDetector(RegexBasedDetector):
    """Anywhere, not only in an .npmrc."""

    secret_type = "npm access token"
    denylist = (re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),)


class HuggingFaceDetector(RegexBasedDetector):
    secret_type = "Hugging Face token"
    denylist = (re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"),)


class GitHubFineGrainedDetector(RegexBasedDetector):
    secret_type = "GitHub fine-grained token"
    denylist = (re.compile(r"\bgithub_pat_[A-Za-z0-9_]{36,}"),)


class PrivateKeyBlockDetector(RegexBasedDetector):
    """Encrypted ones as well, which detect-secrets lets pass."""

    secret_type = "Private key block"
    denylist = (re.compile(r"-----BEGIN ENCRYPTED PRIVATE KEY-----"),)
