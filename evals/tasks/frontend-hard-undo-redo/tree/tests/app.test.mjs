import assert from "node:assert/strict";
import test from "node:test";

import { draft, initialState, isDirty, reduce, restored } from "../src/app.mjs";
import { actionFor } from "../src/shortcuts.mjs";
import { toolbar } from "../src/toolbar.mjs";

function play(...actions) {
  return actions.reduce(reduce, initialState());
}

const ADDED = { type: "field/added", kind: "text" };

test("fields are added, labelled and moved", () => {
  const state = play(ADDED, ADDED, { type: "field/labelled", id: 2, text: "Name" }, { type: "field/moved", id: 2, by: -1 });
  assert.deepEqual(
    state.document.fields.map((field) => [field.id, field.label]),
    [
      [2, "Name"],
      [1, ""],
    ],
  );
});

test("a removed field is no longer selected", () => {
  const state = play(ADDED, { type: "view/selected", id: 1 });
  assert.equal(reduce(state, { type: "field/removed", id: 1 }).view.selectedId, null);
});

test("what changes nothing gives the same state", () => {
  const state = play(ADDED);
  assert.equal(reduce(state, { type: "field/moved", id: 1, by: 1 }), state);
  assert.equal(reduce(state, { type: "nothing/known" }), state);
});

test("a form is dirty until it is saved", () => {
  assert.equal(isDirty(play(ADDED)), true);
  assert.equal(isDirty(play(ADDED, { type: "document/saved" })), false);
});

test("a draft can be restored", () => {
  const state = play(ADDED, { type: "view/panel", panel: "preview" });
  const { document, view } = restored(draft(state));
  assert.deepEqual({ document, view }, { document: state.document, view: state.view });
});

test("the toolbar saves what is dirty", () => {
  assert.match(toolbar(initialState()), /data-action="document\/saved" disabled>/);
  assert.match(toolbar(play(ADDED)), /data-action="document\/saved">/);
});

test("shortcuts", () => {
  assert.deepEqual(actionFor({ key: "s", metaKey: true }, initialState()), { type: "document/saved" });
  assert.equal(actionFor({ key: "Delete" }, initialState()), null);
});
