import json
from html.parser import HTMLParser

# Runs beside the changed tree: carries out a list of jobs and writes down what came of each.
DRIVER = """
import { readFileSync, writeFileSync } from "node:fs";
import { header } from "./src/header.mjs";
import { page } from "./src/page.mjs";
import * as settings from "./src/settings.mjs";

function play(state, types) {
  for (const type of types) {
    const before = Object.freeze({ ...state });
    const after = settings.reduce(before, { type });
    state = after;
  }
  return state;
}

const work = {
  actions: ({ state, types }) => play({ ...settings.DEFAULTS, ...state }, types),
  reload: ({ state, types }) => settings.restore(settings.save(play({ ...settings.DEFAULTS, ...state }, types))),
  restore: ({ saved }) => settings.restore(saved),
  header: ({ state }) => header({ ...settings.DEFAULTS, ...state }),
  page: ({ state, types }) => page(play({ ...settings.DEFAULTS, ...state }, types), "Unread", ""),
};
function answer(job) {
  try {
    return work[job.do](job);
  } catch (failure) {
    return { failed: String(failure) };
  }
}
const groups = JSON.parse(readFileSync(0, "utf8"));
writeFileSync("answers.json", JSON.stringify(groups.map((jobs) => jobs.map(answer))));
"""
DEFAULTS = {"theme": "light", "density": "cosy", "fontSize": 16, "menuOpen": False}


def by_theme(job):
    return [{"do": job, "state": {"theme": theme}} for theme in ("light", "dark")]


ODD_THEMES = ["sepia", "Dark", "", None, True, 1, ["dark"], {}, "toString"]
JOBS = {
    "to and fro": [
        {"do": "actions", "state": {"fontSize": 20}, "types": ["theme/toggled"]},
        {"do": "actions", "state": {"fontSize": 20}, "types": ["theme/toggled", "theme/toggled"]},
    ],
    "other actions": [
        {
            "do": "actions",
            "types": ["theme/toggled", "density/toggled", "font/larger", "menu/toggled", "weather/changed"],
        }
    ],
    "buttons": by_theme("header"),
    "page": [{"do": "page", "types": ["theme/toggled"]}],
    "reload": [
        {"do": "reload", "types": ["theme/toggled"]},
        {"do": "reload", "types": ["theme/toggled", "theme/toggled"]},
    ],
    "other settings": [{"do": "reload", "types": ["density/toggled", "font/larger", "menu/toggled"]}],
    "odd themes": [
        {"do": "restore", "saved": json.dumps({"theme": theme, "density": "compact"})} for theme in ODD_THEMES
    ],
    "before": [{"do": "restore", "saved": saved} for saved in (None, "{", '{"density": "compact", "fontSize": 12}')],
    "large font": [{"do": "header", "state": {"fontSize": 24}}],
}
RAN = []


def answers(project, name):
    """All jobs are done in one run, for the first test."""
    if not RAN:
        jobs = json.dumps(list(JOBS.values()))
        RAN.append(project.run("node", "driver.mjs", stdin=jobs, files={"driver.mjs": DRIVER}, keep=["answers.json"]))
    text = RAN[0].files["answers.json"]
    assert RAN[0].exit_code == 0 and text is not None, RAN[0]
    found = json.loads(text)[list(JOBS).index(name)]
    assert len(found) == len(JOBS[name])
    return found


class Buttons(HTMLParser):
    """Attributes and text of each button."""

    def __init__(self, markup):
        super().__init__()
        self.found, self._inside = [], False
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag == "button":
            self.found.append({**dict(attributes), "text": ""})
            self._inside = True

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "button"

    def handle_data(self, data):
        if self._inside:
            self.found[-1]["text"] += data.strip()


def is_toggle(button):
    return "theme-toggle" in (button.get("class") or "").split()


def toggles(markup):
    return [button for button in Buttons(markup).found if is_toggle(button)]


def test_theme_goes_to_and_fro(project):
    dark, light = answers(project, "to and fro")
    assert dark == {**DEFAULTS, "fontSize": 20, "theme": "dark"}
    assert light == {**DEFAULTS, "fontSize": 20}


def test_other_actions_leave_the_theme(project):
    (state,) = answers(project, "other actions")
    assert state == {"theme": "dark", "density": "compact", "fontSize": 18, "menuOpen": True}


def test_button_is_wired(project):
    for markup in answers(project, "buttons"):
        (toggle,) = toggles(markup)
        assert (toggle["type"], toggle["data-action"]) == ("button", "theme/toggled")
        assert toggle["text"] == "Dark mode"


def test_button_tells_its_state(project):
    light, dark = answers(project, "buttons")
    assert toggles(light)[0].get("aria-pressed") == "false"
    assert toggles(dark)[0].get("aria-pressed") == "true"


def test_page_follows(project):
    (markup,) = answers(project, "page")
    assert type(markup) is str, markup
    assert '<html lang="en" data-theme="dark" ' in markup
    assert len(toggles(markup)) == 1


def test_theme_survives_a_reload(project):
    dark, light = answers(project, "reload")
    assert dark == {**DEFAULTS, "theme": "dark"}
    assert light == DEFAULTS


def test_other_settings_are_saved_as_before(project):
    (state,) = answers(project, "other settings")
    assert state == {**DEFAULTS, "density": "compact", "fontSize": 18}


def test_odd_stored_themes_count_as_light(project):
    for state in answers(project, "odd themes"):
        assert state == {**DEFAULTS, "density": "compact"}


def test_settings_of_before_are_still_read(project):
    assert answers(project, "before") == [DEFAULTS, DEFAULTS, {**DEFAULTS, "density": "compact", "fontSize": 12}]


def test_other_buttons_stay(project):
    (markup,) = answers(project, "large font")
    others = [button for button in Buttons(markup).found if not is_toggle(button)]
    assert [button["data-action"] for button in others] == [
        "menu/toggled",
        "font/smaller",
        "font/larger",
        "density/toggled",
    ]
    assert ["disabled" in button for button in others] == [False, False, True, False]
    assert not any("aria-pressed" in button for button in others)
