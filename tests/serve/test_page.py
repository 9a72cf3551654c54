"""The status page in a real browser: its figures, hostile names, signing in, keeping up, and its policy."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from serve.page.data import PageData, gather
from serve.page.page import StatusPage, policy, render
from serve.web import Call, Client, Refusal
from tests.serve.page_server import (
    ARMS,
    DECISIONS,
    HOSTILE,
    KEY,
    SAVING,
    STATE,
    Learner,
    Ticking,
    anybody,
    has_key,
    serving,
    sources,
)  # fmt: skip
from tests.support.browser import CHROMIUM, look

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="this machine has no Chromium")

CELLS = "[...document.querySelectorAll('[data-part=%s] tr')].map(r => [...r.cells].map(c => c.textContent.trim()))"
WIDTH = "document.scrollingElement.scrollWidth"
SIGN_IN = """(() => {
  const form = document.querySelector("form"), state = document.getElementById("state");
  document.querySelector("input").value = %s;
  document.querySelector("button").click();
  return new Promise((resolve) => {
    const look = () => {
      const rows = document.querySelectorAll("[data-part=arms] tr").length, said = state.textContent;
      if (!rows && !said) return setTimeout(look, 20);
      resolve([rows, said, sessionStorage.length, document.cookie, form.hidden]);
    };
    setTimeout(look, 50);
  });
})()"""
CONTRAST = """(() => {
      const light = (text) => { const [r, g, b] = text.match(/[\\d.]+/g).map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const paper = light(getComputedStyle(document.documentElement).backgroundColor);
      const all = [...document.querySelectorAll("p, dt, dd, th, td, .mark, .label, h1, h2")];
      return Math.min(...all.map((element) => { const ink = light(getComputedStyle(element).color);
        return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05); }));
    })()"""
SAVING_IS_KNOWN = """new Promise((resolve) => {
  const look = () => {
    document.dispatchEvent(new Event("visibilitychange"));
    const text = document.querySelector("[data-part=headline]").textContent;
    text.includes("worked out") ? setTimeout(look, 20) : resolve(text);
  };
  look();
})"""


@in_browser
def test_its_figures_are_the_data_without_a_complaint_or_a_request_elsewhere(tmp_path: Path) -> None:
    with serving(sources(Learner()), anybody) as url:
        asked = [CELLS % part for part in ("arms", "decisions", "breakers", "health")]
        asked += ["document.querySelector('.label').textContent", WIDTH, CONTRAST]
        seen = look(url, 1200, tmp_path / "profile", *asked)
    arms, decisions, breakers, health, label, width, least_contrast = seen.values
    assert arms == [
        ["qwen2.5-coder-1.5b", "90%", "900", "850", "0.720 [0.690, 0.750]", "0.700 [0.660, 0.730]", "$3.21"],
        ["smollm2-135m", "10%", "100", "90", "0.100", "-", "$0.0042"],
    ]
    assert len(decisions) == 20
    assert decisions[0] == ["08:29:00", "smollm2-135m", "2.5%", "router"]
    assert breakers[0] == ["http://upstream:8790/v1", "✗ open", "80%", "25", "in 4 s"]
    assert health[1][:2] == ["disk", "! degraded"]
    assert (label, width) == ("fake provider", 1200)
    assert least_contrast >= 4.5
    assert not seen.complaints
    assert set(seen.requests) <= {f"{url}page/body"}


@in_browser
def test_it_fits_a_phone_and_can_be_read_in_the_dark(tmp_path: Path) -> None:
    with serving(sources(Learner()), anybody) as url:
        seen = look(url, 375, tmp_path / "profile", WIDTH, CONTRAST, is_dark=True)
    width, least_contrast = seen.values
    assert width == 375
    assert least_contrast >= 4.5, "WCAG 2.2, 1.4.3"


@in_browser
def test_hostile_names_are_text(tmp_path: Path) -> None:
    learner = Learner(
        state=STATE | {"router": HOSTILE},
        arms={"arms": [ARMS["arms"][0] | {"arm": HOSTILE}]},
        decisions={"decisions": [DECISIONS["decisions"][0] | {"arm": HOSTILE, "reason": HOSTILE}]},
        report={"saving": SAVING | {"reference": HOSTILE, "words": HOSTILE}},
    )
    with serving(sources(learner, Ticking(1.8e9), HOSTILE), anybody) as url:
        seen = look(
            url,
            375,
            tmp_path / "profile",
            SAVING_IS_KNOWN,
            "document.querySelectorAll('img, #body script, [onerror]').length",
            "document.querySelector('[data-part=arms] th').textContent",
            WIDTH,
        )
    assert seen.values == [HOSTILE, 0, HOSTILE, 375]
    assert not seen.complaints


@in_browser
def test_signing_in_keeps_a_good_key_in_the_tab_and_no_other(tmp_path: Path) -> None:
    tries = [SIGN_IN % json.dumps(key) for key in ("krins_wrong", "a b\u20ac", KEY)]
    with serving(sources(Learner()), has_key) as url:
        before = "document.querySelectorAll('[data-part]').length"
        seen = look(url, 600, tmp_path / "profile", before, *tries, "location.href")
    assert seen.values == [
        0,
        [0, "This key is not known here.", 0, "", False],
        [0, "A key has no spaces or special characters.", 0, "", False],
        [2, "", 1, "", True],
        url,
    ]
    assert all("status of 401" in complaint for complaint in seen.complaints), "the browser's own word"


@in_browser
def test_it_keeps_up_and_leaves_alone_what_did_not_change(tmp_path: Path) -> None:
    class Growing(Learner):
        async def ask(self, what: str, arguments: Any) -> Any:
            answer = dict(await super().ask(what, arguments))
            return answer | {"version": self.asked} if what == "state" else answer

    row = "document.querySelector('[data-part=arms]').firstElementChild"
    grows = """new Promise((resolve) => {
      const outcomes = () => document.querySelectorAll("[data-part=serves] dd")[1].textContent, first = outcomes();
      const look = () => {
        document.dispatchEvent(new Event("visibilitychange"));
        outcomes() === first ? setTimeout(look, 20) : resolve(true);
      };
      look();
    })"""
    with serving(sources(Growing(), Ticking(1.8e9)), anybody) as url:
        seen = look(url, 900, tmp_path / "profile", f"{row}.mark = 'same'", grows, f"{row}.mark")
    assert seen.values == ["same", True, "same"]
    assert not seen.complaints


def _data() -> PageData:
    return asyncio.run(gather(sources(Learner())))


def test_the_policy_names_what_is_in_the_page() -> None:
    from base64 import b64encode
    from hashlib import sha256

    html = render("page.html", _data())
    for tag in ("style", "script"):
        text = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(text) == 1
        assert f"{tag}-src 'sha256-{b64encode(sha256(text[0].encode()).digest()).decode()}'" in policy()
    assert "unsafe" not in policy()
    assert not re.search(r"\son\w+=|style=|https?://(?!upstream|other)", html)


def test_without_javascript_the_first_page_is_whole() -> None:
    html = render("page.html", _data())
    assert "qwen2.5-coder-1.5b" in html


def _call(**headers: str) -> Call:
    named = {name.encode(): value.encode() for name, value in headers.items()}
    return Call("GET", "/", {}, None, named, b"", None, Client("", frozenset()), "r")


def test_without_a_key_browsers_get_a_form_and_programs_a_refusal() -> None:
    learner = Learner()
    page = StatusPage(sources(learner), has_key)
    answer = asyncio.run(page.whole(_call(accept="text/html,*/*")))
    assert isinstance(answer.body, bytes)
    assert answer.status == 401
    assert b"qwen" not in answer.body
    assert b"fake provider" in answer.body
    assert {b"www-authenticate", b"content-security-policy", b"cache-control"} <= {name for name, _ in answer.headers}
    with pytest.raises(Refusal) as refused:
        asyncio.run(page.whole(_call(accept="*/*")))
    assert refused.value.status == 401
    assert learner.asked == 0
    assert asyncio.run(page.whole(_call(authorization=f"Bearer {KEY}"))).status == 200
