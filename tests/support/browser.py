"""Headless Chromium through its debugging pipe: a page as a browser of a given width sees it.

Left out: anything but looking. Where the machine has no Chromium the tests that need it are skipped.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_NETWORK_FREE = ("data:", "blob:")


@dataclass(frozen=True)
class Seen:
    """What a browser saw of a page."""

    values: list[Any]
    """Of the expressions, in order."""
    complaints: list[str]
    """Console messages, page errors and violations of the page's policy."""
    requests: list[str]
    """URLs that were asked for, beside the page itself."""
    picture: bytes
    """PNG of the whole page."""


class _Pipe:
    """The protocol of Chromium's developer tools: JSON messages, each ended by a zero byte."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in = os.fdopen(to_browser, "wb", buffering=0), os.fdopen(from_browser, "rb")
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, params: Mapping[str, Any], session: str | None = None) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        self._out.write(json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, method: str) -> None:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._read())

    def _read(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            assert byte, "the browser ended"
            text += byte
        message: dict[str, Any] = json.loads(text)
        return message

    def close(self) -> None:
        self._out.close()
        self._in.close()


@contextmanager
def _browser(profile: Path) -> Iterator[_Pipe]:
    assert CHROMIUM is not None
    for_browser, to_browser = os.pipe()
    from_browser, of_browser = os.pipe()

    def places() -> None:
        """Chromium reads from descriptor 3 and writes to 4; each may be the other's now."""
        high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in (for_browser, of_browser)]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    process = subprocess.Popen(
        [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--no-first-run", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=places, close_fds=False,
    )  # fmt: skip
    os.close(for_browser)
    os.close(of_browser)
    pipe = _Pipe(to_browser, from_browser)
    try:
        yield pipe
        pipe.ask("Browser.close", {})
    finally:
        pipe.close()
        process.kill()
        process.wait()


def look(page: Path | str, width: int, profile: Path, *expressions: str, is_dark: bool = False) -> Seen:
    """Open a file or a URL in a window so many CSS pixels wide and evaluate JavaScript expressions on it.

    A promise is waited for.
    """
    url = page if isinstance(page, str) else page.as_uri()
    with _browser(profile) as pipe:
        target = pipe.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = pipe.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            pipe.ask(f"{domain}.enable", {}, session)
        screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
        pipe.ask("Emulation.setDeviceMetricsOverride", screen, session)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        pipe.ask("Emulation.setEmulatedMedia", {"features": [scheme]}, session)
        pipe.events.clear()
        pipe.ask("Page.navigate", {"url": url}, session)
        pipe.wait("Page.loadEventFired")
        values = [
            pipe.ask("Runtime.evaluate", {"expression": text, "returnByValue": True, "awaitPromise": True}, session)[
                "result"
            ].get("value")
            for text in expressions
        ]
        shot = pipe.ask("Page.captureScreenshot", {"captureBeyondViewport": True, **_whole(pipe, session)}, session)
        return Seen(values, _complaints(pipe.events), _requests(pipe.events, url), base64.b64decode(shot["data"]))


def _whole(pipe: _Pipe, session: str) -> dict[str, Any]:
    size = pipe.ask("Page.getLayoutMetrics", {}, session)["cssContentSize"]
    return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}


def _complaints(events: list[dict[str, Any]]) -> list[str]:
    kinds = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    return [json.dumps(event["params"]) for event in events if event.get("method") in kinds]


def _requests(events: list[dict[str, Any]], page: str) -> list[str]:
    sent = [event["params"]["request"]["url"] for event in events if event.get("method") == "Network.requestWillBeSent"]
    return [url for url in sent if url != page and not url.startswith(_NETWORK_FREE)]
