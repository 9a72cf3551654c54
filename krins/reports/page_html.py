"""A page as one HTML file (page.html is its template).

Invariants: everything is escaped but the charts, which `krins.reports.page_charts` has cleaned; the policy allows the
one style sheet by its hash, and nothing else: no script, no load. Left out: writing it to the disk.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from krins.reports.page import Page
from krins.reports.page_charts import Drawn

_FOLDER = Path(__file__).parent


def as_html(page: Page, drawn: Sequence[Drawn | None]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    sections = list(zip(page.sections, drawn, strict=True))
    return environment.get_template("page.html").render(page=page, sections=sections, style=style, digest=digest)
