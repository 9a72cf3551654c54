"""GET / and what it asks for again every few seconds: the status page, as HTML and as data.

The first page is whole without JavaScript where no key is asked for. Otherwise a browser, which cannot send a key when
it follows a link, gets a form; the key it asks for stays in the tab (sessionStorage) and goes into a header. There is
no cookie, so no other site can use it.
Invariants: names, reasons and errors are escaped, for they are anybody's text; the policy allows this style and this
script by their hashes, requests to the service itself, and nothing else; figures are written in one place, for the
first page and for every later one; however many look, the learner is asked once a second at most.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serve.page import figures
from serve.page.data import PageData, Sources, gather
from serve.page.saving import SavingReport
from serve.web import Answer, Call, Headers, Refusal, Route, Scope

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent
_HTML = "text/html; charset=utf-8"
_FRESH_SECONDS = 1.0
_FILTERS: tuple[Callable[..., str], ...] = (
    figures.count, figures.percent, figures.usd, figures.estimate, figures.percent_estimate, figures.moment,
    figures.time_of_day, figures.short,
)  # fmt: skip


class StatusPage:
    """The page of one replica."""

    def __init__(self, sources: Sources, may_see: Callable[[Call], bool]) -> None:
        """
        Args:
            may_see: whether a call of GET /, which the door lets everybody make, has a key that may see figures.
        """
        self._sources, self._may_see = sources, may_see
        self._saving = SavingReport(sources.learning, sources.clock)
        self._lock = asyncio.Lock()
        self._data: PageData | None = None
        self._until_seconds = 0.0

    async def data(self) -> PageData:
        async with self._lock:
            now = self._sources.clock.monotonic_seconds()
            if self._data is None or now >= self._until_seconds:
                found, said = await gather(self._sources), self._saving.latest()
                self._data = found.model_copy(update=said._asdict())
                self._until_seconds = self._sources.clock.monotonic_seconds() + _FRESH_SECONDS
            return self._data

    async def whole(self, call: Call) -> Answer:
        """GET /"""
        if self._may_see(call):
            return _answer(render("page.html", await self.data()))
        if b"text/html" not in call.headers.get(b"accept", b""):
            raise Refusal(401, "invalid_api_key", "this page asks for an API key", "send it as Authorization: Bearer")
        return _answer(render("page.html", None, self._sources.label), 401)

    async def body(self, call: Call) -> Answer:
        """GET /page/body"""
        return _answer(render("body.html", await self.data()))

    async def figures(self, call: Call) -> Answer:
        """GET /page/data.json"""
        return Answer.of(await self.data())


def routes(page: StatusPage) -> list[Route]:
    def get(path: str, handle: Any, summary: str, **more: Any) -> Route:
        return Route(method="GET", path=path, handle=handle, summary=summary, tag="page", **more)

    return [
        get("/", page.whole, "The status page, or a form that asks for a key", scope=None, content_type=_HTML,
            refusals={401: "no key; a browser gets a form"}),
        get("/page/body", page.body, "The figures of the status page, as HTML", scope=Scope.INFER, content_type=_HTML),
        get("/page/data.json", page.figures, "The figures of the status page", scope=Scope.INFER, answer=PageData),
    ]  # fmt: skip


def render(template: str, data: PageData | None, label: str = "") -> str:
    environment = _environment()
    label = data.label if data else label
    return environment.get_template(template).render(data=data, label=label, style=_style(), script=_script())


def policy() -> str:
    """Content-Security-Policy of the page."""
    sources = (f"'sha256-{_digest(text)}'" for text in (_style(), _script()))
    style, script = sources
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _answer(html: str, status: int = 200) -> Answer:
    headers: Headers = [(b"content-security-policy", policy().encode()), (b"cache-control", b"no-store")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return Answer(html.encode(), status, headers, _HTML.encode())


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {filter_.__name__: filter_ for filter_ in _FILTERS}
    return environment


@functools.cache
def _style() -> str:
    return (_FOLDER / "page.css").read_text(encoding="utf-8")


@functools.cache
def _script() -> str:
    return (_FOLDER / "page.js").read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
