import json
from html.parser import HTMLParser

# Runs beside the changed tree. Each job plays its actions, then its branches, in turn, from the state that they lead
# to, and tells what each branch came to; "look" among the actions tells what they have come to so far.
DRIVER = """
import { readFileSync, writeFileSync } from "node:fs";
import { draft, initialState, isDirty, reduce, restored } from "./src/app.mjs";
import { actionFor } from "./src/shortcuts.mjs";
import { toolbar } from "./src/toolbar.mjs";

function look(state, job) {
  const { document, view } = state;
  const seen = { document, view, dirty: isDirty(state), toolbar: toolbar(state) };
  return job.drafts ? { ...seen, draft: draft(state) } : seen;
}

function played(job) {
  let state = job.draft === undefined ? initialState() : restored(job.draft);
  const seen = [];
  for (const action of job.actions) {
    if (action === "look") seen.push(look(state, job));
    else if (action === "reload") state = restored(draft(state));
    else state = reduce(state, action);
  }
  const branches = (job.branches ?? []).map(() => state);
  const length = Math.max(0, ...(job.branches ?? []).map((branch) => branch.length));
  for (let place = 0; place < length; place += 1) {
    job.branches.forEach((branch, number) => {
      if (place < branch.length) branches[number] = reduce(branches[number], branch[place]);
    });
  }
  return [...seen, ...branches.map((branch) => look(branch, job))];
}

function pressed(job) {
  const state = job.actions.reduce(reduce, initialState());
  const keys = { ctrlKey: false, metaKey: false, shiftKey: false, altKey: false };
  return job.events.map((event) => actionFor({ ...keys, ...event }, state));
}

function answer(job) {
  try {
    return job.events ? pressed(job) : played(job);
  } catch (failure) {
    return { failed: String(failure) };
  }
}
const jobs = JSON.parse(readFileSync(0, "utf8"));
writeFileSync("answers.json", JSON.stringify(jobs.map(answer)));
"""
UNDO, REDO, SAVE = {"type": "history/undone"}, {"type": "history/redone"}, {"type": "document/saved"}
LOOK, RELOAD = "look", "reload"
ADD = {"type": "field/added", "kind": "text"}
LOADED = {"title": "Loaded", "fields": [{"id": 4, "kind": "date", "label": "Day", "required": True}], "nextId": 5}
LOAD = {"type": "document/loaded", "document": LOADED}


def title(text):
    return {"type": "title/typed", "text": text}


def label(number, text):
    return {"type": "field/labelled", "id": number, "text": text}


def remove(number):
    return {"type": "field/removed", "id": number}


def require(number):
    return {"type": "field/required", "id": number}


def select(number):
    return {"type": "view/selected", "id": number}


def panel(name):
    return {"type": "view/panel", "panel": name}


JOBS = {
    "steps": {
        "actions": [
            *[ADD, ADD, label(1, "Name"), remove(2), LOOK],
            *[UNDO, LOOK, UNDO, LOOK, UNDO, LOOK, UNDO, LOOK, UNDO, LOOK],
            *[REDO, LOOK, REDO, LOOK, REDO, REDO, LOOK, REDO, LOOK],
        ]
    },
    "other changes": {
        "actions": [
            *[ADD, ADD, {"type": "field/moved", "id": 2, "by": -1}, require(1), require(1), LOOK],
            *[UNDO, LOOK, UNDO, LOOK, UNDO, LOOK, REDO, LOOK],
        ]
    },
    "a new step": {"actions": [ADD, ADD, UNDO, label(1, "Name"), LOOK, REDO, LOOK, UNDO, LOOK, REDO, LOOK]},
    "no steps": {
        "actions": [
            *[ADD, ADD, UNDO, select(1), panel("preview"), label(1, ""), remove(9), SAVE, {"type": "nothing"}],
            *[{"type": "field/moved", "id": 1, "by": -1}, title("Untitled form"), LOOK, REDO, LOOK],
        ]
    },
    "typing a title": {"actions": [ADD, title("F"), title("Fo"), title("Form"), LOOK, UNDO, LOOK, REDO, LOOK]},
    "typing labels": {
        "actions": [
            *[ADD, ADD, label(1, "N"), label(1, "Na"), label(2, "A"), label(2, "Ag"), LOOK],
            *[UNDO, LOOK, UNDO, LOOK],
        ]
    },
    "typing here and there": {
        "actions": [ADD, title("T"), label(1, "L"), title("Ti"), UNDO, LOOK, UNDO, LOOK, UNDO, LOOK]
    },
    "interrupted by the view": {"actions": [ADD, label(1, "N"), select(1), label(1, "Na"), UNDO, LOOK]},
    "interrupted by a step": {"actions": [ADD, label(1, "N"), require(1), label(1, "Na"), UNDO, LOOK, UNDO, LOOK]},
    "interrupted by saving": {"actions": [title("T"), SAVE, title("Ti"), LOOK, UNDO, LOOK]},
    "typing after an undo": {"actions": [title("A"), title("AB"), UNDO, title("C"), LOOK, REDO, LOOK, UNDO, LOOK]},
    "typing after undoing another": {"actions": [title("A"), ADD, UNDO, title("AB"), UNDO, LOOK, REDO, LOOK]},
    "typing after a redo": {"actions": [title("A"), UNDO, REDO, title("AB"), UNDO, LOOK]},
    "sixty": {"actions": [ADD] * 60 + [UNDO] * 49 + [LOOK, UNDO, LOOK, UNDO, LOOK] + [REDO] * 60 + [LOOK]},
    "fifty": {"actions": [ADD] * 50 + [UNDO] * 50 + [LOOK] + [REDO] * 50 + [LOOK]},
    "loading": {"actions": [ADD, ADD, UNDO, LOAD, LOOK, UNDO, LOOK, REDO, LOOK, title("New"), UNDO, LOOK]},
    "selection": {
        "actions": [ADD, select(1), ADD, select(2), panel("preview"), LOOK, UNDO, LOOK, REDO, LOOK],
        "branches": [
            [select(1), UNDO],
            [remove(2), UNDO],
            [remove(1), select(2), UNDO, REDO],
            [remove(1), UNDO, select(1), REDO],
        ],
    },
    "dirt": {"actions": [ADD, SAVE, LOOK, ADD, LOOK, UNDO, LOOK, UNDO, LOOK, REDO, LOOK, REDO, LOOK, SAVE, UNDO, LOOK]},
    "draft": {
        "drafts": True,
        "actions": [
            ADD,
            title("T"),
            UNDO,
            panel("preview"),
            LOOK,
            RELOAD,
            LOOK,
            UNDO,
            REDO,
            LOOK,
            ADD,
            LOOK,
            UNDO,
            LOOK,
        ],
    },
    "old draft": {
        "draft": json.dumps({"document": LOADED, "view": {"selectedId": 4, "panel": "fields"}}),
        "actions": [LOOK, remove(4), LOOK, UNDO, LOOK],
    },
    "forms apart": {
        "actions": [ADD, title("T")],
        "branches": [[UNDO, UNDO, REDO], [title("Th"), ADD, UNDO], [ADD, ADD, ADD], [UNDO, title("X"), UNDO]],
    },
    "shortcuts": {
        "actions": [ADD, select(1)],
        "events": [
            {"key": "z", "ctrlKey": True},
            {"key": "z", "metaKey": True},
            {"key": "Z", "ctrlKey": True, "shiftKey": True},
            {"key": "Z", "metaKey": True, "shiftKey": True},
            {"key": "y", "ctrlKey": True},
        ],
    },
    "other keys": {
        "actions": [ADD, select(1)],
        "events": [
            {"key": "z"},
            {"key": "Z", "shiftKey": True},
            {"key": "y"},
            {"key": "z", "ctrlKey": True, "altKey": True},
            {"key": "s", "ctrlKey": True},
            {"key": "Delete"},
            {"key": "Escape"},
        ],
    },
}
RAN = []


class Buttons(HTMLParser):
    """Of each button: its attributes and its text."""

    def __init__(self, markup):
        super().__init__()
        self.found = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag == "button":
            self.found.append({**dict(attributes), "text": ""})

    def handle_data(self, data):
        if self.found:
            self.found[-1]["text"] += data.strip()


def answered(project, name):
    """All jobs are done in one run, for the first test."""
    if not RAN:
        jobs = json.dumps(list(JOBS.values()))
        RAN.append(project.run("node", "driver.mjs", stdin=jobs, files={"driver.mjs": DRIVER}, keep=["answers.json"]))
    text = RAN[0].files["answers.json"]
    assert RAN[0].exit_code == 0 and text is not None, RAN[0]
    answer = json.loads(text)[list(JOBS).index(name)]
    assert type(answer) is list, (name, answer)
    return answer


def shown(look):
    """Title and fields in short: the number and the label of each, with a star if it is required."""
    document = look["document"]
    fields = [f"{field['id']}{field['label']}{'*' if field['required'] else ''}" for field in document["fields"]]
    return " ".join([document["title"].replace("Untitled form", "-"), *fields])


def enabled(look):
    """Which of undo and redo the toolbar offers."""
    buttons = {button.get("data-action"): button for button in Buttons(look["toolbar"]).found}
    return "".join(
        letter
        for letter, action in (("u", "history/undone"), ("r", "history/redone"))
        if "disabled" not in buttons[action]
    )


def told(project, name):
    return [(shown(look), enabled(look)) for look in answered(project, name)]


def test_steps_are_undone_and_redone(project):
    assert told(project, "steps") == [
        ("- 1Name", "u"),
        ("- 1Name 2", "ur"),
        ("- 1 2", "ur"),
        ("- 1", "ur"),
        ("-", "r"),
        ("-", "r"),
        ("- 1", "ur"),
        ("- 1 2", "ur"),
        ("- 1Name", "u"),
        ("- 1Name", "u"),
    ]


def test_every_kind_of_change_is_a_step(project):
    looks = [("- 2 1", "u"), ("- 2 1*", "ur"), ("- 2 1", "ur"), ("- 1 2", "ur"), ("- 2 1", "ur")]
    assert told(project, "other changes") == looks


def test_a_new_step_drops_what_can_be_redone(project):
    assert told(project, "a new step") == [("- 1Name", "u"), ("- 1Name", "u"), ("- 1", "ur"), ("- 1Name", "u")]


def test_what_changes_no_document_is_no_step(project):
    assert told(project, "no steps") == [("- 1", "ur"), ("- 1 2", "u")]


def test_typing_is_one_step(project):
    assert told(project, "typing a title") == [("Form 1", "u"), ("- 1", "ur"), ("Form 1", "u")]


def test_typing_into_another_field_is_another_step(project):
    assert told(project, "typing labels") == [("- 1Na 2Ag", "u"), ("- 1Na 2", "ur"), ("- 1 2", "ur")]
    assert told(project, "typing here and there") == [("T 1L", "ur"), ("T 1", "ur"), ("- 1", "ur")]


def test_any_other_action_ends_typing(project):
    assert told(project, "interrupted by the view") == [("- 1N", "ur")]
    assert told(project, "interrupted by a step") == [("- 1N*", "ur"), ("- 1N", "ur")]
    assert told(project, "interrupted by saving") == [("Ti", "u"), ("T", "ur")]


def test_undo_and_redo_end_typing(project):
    assert told(project, "typing after an undo") == [("C", "u"), ("C", "u"), ("-", "r")]
    assert told(project, "typing after undoing another") == [("A", "ur"), ("AB", "u")]
    assert told(project, "typing after a redo") == [("A", "ur")]


def test_fifty_steps_can_be_undone(project):
    sixty = [(len(look["document"]["fields"]), enabled(look)) for look in answered(project, "sixty")]
    assert sixty == [(11, "ur"), (10, "r"), (10, "r"), (60, "u")]
    fifty = [(len(look["document"]["fields"]), enabled(look)) for look in answered(project, "fifty")]
    assert fifty == [(0, "r"), (50, "u")]


def test_loading_forgets_all_steps(project):
    assert told(project, "loading") == [("Loaded 4Day*", "")] * 3 + [("Loaded 4Day*", "r")]
    assert [look["dirty"] for look in answered(project, "loading")] == [False] * 4


def test_view_stays_and_no_gone_field_is_selected(project):
    views = [look["view"] for look in answered(project, "selection")]
    assert [view["selectedId"] for view in views] == [2, None, None, 1, None, 2, None]
    assert {view["panel"] for view in views} == {"preview"}


def test_saved_document_is_not_dirty_again(project):
    assert [look["dirty"] for look in answered(project, "dirt")] == [False, True, False, True, False, True, True]
    assert [look["dirty"] for look in answered(project, "interrupted by saving")] == [True, False]


def test_drafts_store_no_steps(project):
    looks = answered(project, "draft")
    assert json.loads(looks[0]["draft"]) == {"document": looks[0]["document"], "view": looks[0]["view"]}
    assert told(project, "draft") == [("- 1", "ur"), ("- 1", ""), ("- 1", ""), ("- 1 2", "u"), ("- 1", "r")]
    assert [look["view"]["panel"] for look in looks] == ["preview"] * 5


def test_drafts_of_before_can_be_restored(project):
    assert told(project, "old draft") == [("Loaded 4Day*", ""), ("Loaded", "u"), ("Loaded 4Day*", "r")]


def test_states_are_apart(project):
    assert told(project, "forms apart") == [("- 1", "ur"), ("Th 1", "ur"), ("T 1 2 3 4", "u"), ("- 1", "ur")]


def test_toolbar_has_the_buttons(project):
    buttons = Buttons(answered(project, "fifty")[0]["toolbar"]).found
    assert [button["text"] for button in buttons] == ["Save", "Undo", "Redo", "Fields", "Preview"]
    assert [button.get("data-action") for button in buttons[:3]] == [
        "document/saved",
        "history/undone",
        "history/redone",
    ]
    assert all(button["type"] == "button" for button in buttons)
    assert [button.get("aria-pressed") for button in buttons[3:]] == ["true", "false"]


def test_shortcuts(project):
    assert answered(project, "shortcuts") == [UNDO, UNDO, REDO, REDO, REDO]


def test_other_keys_stay(project):
    assert answered(project, "other keys") == [None] * 4 + [SAVE, remove(1), select(None)]
