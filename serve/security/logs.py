"""What may stand in a log: a filter that takes secrets out of everything.

Invariant: whatever any library logs, what looks like a key, or is one of the service's own secrets, is replaced before
a handler writes it, tracebacks included. Left out: what must be written down (`serve.security.audit`).
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable, Mapping

_GONE = "[redacted]"
_SHAPES = re.compile(
    r"krins_[a-z0-9]{1,32}_[A-Za-z0-9_-]{8,}"
    r"|\bsk-[A-Za-z0-9_-]{8,}"
    r"|\bAIza[A-Za-z0-9_-]{20,}"
    r"|(?i:(?<=bearer )|(?<=bearer%20))[^\s'\",;}\]]{4,}"
)
_NAMED = re.compile(
    r"(?i)(authorization|x-api-key|api[_-]?key|token|secret|password)(['\"]?\s*[:=,]\s*b?['\"]?)(?!bearer\b)([^\s'\",;&}\])]{4,})"
)
_SECRET_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
_MIN_SECRET = 8


class Redactor:
    """Takes secrets out of text."""

    def __init__(self, environ: Mapping[str, str], secrets: Iterable[str] = ()) -> None:
        """Whatever stands in a variable whose name says that it is secret is taken for one."""
        named = (value for name, value in environ.items() if _SECRET_VARIABLE.search(name.upper()))
        known = sorted({value for value in (*named, *secrets) if len(value) >= _MIN_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def clean(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(_GONE, text)
        return _NAMED.sub(rf"\1\2{_GONE}", _SHAPES.sub(_GONE, text))


class RedactingFilter(logging.Filter):
    """For handlers: a filter of a logger does not see what its children log."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redactor.clean(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            # Not `Formatter.formatException`: it prints, and Ray Serve's own `print` writes tuples into such a text.
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if record.exc_text:
            record.exc_text = self._redactor.clean(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.clean(record.stack_info)
        return True


def protect_logs(redactor: Redactor) -> None:
    """Put the filter on every handler that there is now; once a process, after logging was set up."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    handlers = {handler for logger in loggers for handler in logger.handlers}
    if logging.lastResort is not None:
        handlers.add(logging.lastResort)
    for handler in handlers:
        if not any(isinstance(known, RedactingFilter) for known in handler.filters):
            handler.addFilter(RedactingFilter(redactor))
