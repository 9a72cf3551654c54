// The toolbar, as HTML. A click on a button is the action that it names.

import { isDirty } from "./app.mjs";
import { canRedo, canUndo } from "./history.mjs";

function button(action, label, isEnabled) {
  return `<button type="button" data-action="${action}"${isEnabled ? "" : " disabled"}>${label}</button>`;
}

function panelButton(state, panel, label) {
  const isOpen = state.view.panel === panel;
  return `<button type="button" data-panel="${panel}" aria-pressed="${isOpen}">${label}</button>`;
}

export function toolbar(state) {
  return [
    '<div role="toolbar" aria-label="Form">',
    button("document/saved", "Save", isDirty(state)),
    button("history/undone", "Undo", canUndo()),
    button("history/redone", "Redo", canRedo()),
    panelButton(state, "fields", "Fields"),
    panelButton(state, "preview", "Preview"),
    "</div>",
  ].join("\n");
}
