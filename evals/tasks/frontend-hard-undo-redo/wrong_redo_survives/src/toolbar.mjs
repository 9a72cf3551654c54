// The toolbar, as HTML. A click on a button is the action that it names.

import { canRedo, canUndo, isDirty } from "./app.mjs";

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
    button("history/undone", "Undo", canUndo(state)),
    button("history/redone", "Redo", canRedo(state)),
    panelButton(state, "fields", "Fields"),
    panelButton(state, "preview", "Preview"),
    "</div>",
  ].join("\n");
}
