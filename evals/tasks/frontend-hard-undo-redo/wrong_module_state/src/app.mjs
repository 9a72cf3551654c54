// The state of the builder: the document, the view, and the document as it was saved last.
// States are never changed; an action gives a new one, or the same if there is nothing to do.

import { EMPTY, hasField, reduceDocument } from "./document.mjs";
import { forget, record, redo, undo } from "./history.mjs";
import { START, reduceView } from "./view.mjs";

export function initialState() {
  forget();
  return { document: EMPTY, view: START, saved: EMPTY };
}

export function reduce(state, action) {
  if (action.type === "history/undone") return travelled(state, undo(state.document));
  if (action.type === "history/redone") return travelled(state, redo(state.document));
  const document = reduceDocument(state.document, action);
  record(state.document, document, action);
  const view = withoutGoneField(reduceView(state.view, action), document);
  const saved = savedAfter(state, document, action);
  if (document === state.document && view === state.view && saved === state.saved) return state;
  return { ...state, document, view, saved };
}

function travelled(state, document) {
  return { ...state, document, view: withoutGoneField(state.view, document) };
}

export function isDirty(state) {
  return state.document !== state.saved;
}

// A draft, for the browser's storage. What was saved is the server's to know.
export function draft(state) {
  const { saved, ...rest } = state;
  return JSON.stringify(rest);
}

// The state of a draft, which always counts as not saved.
export function restored(text) {
  return { ...initialState(), ...JSON.parse(text) };
}

function withoutGoneField(view, document) {
  return view.selectedId === null || hasField(document, view.selectedId) ? view : { ...view, selectedId: null };
}

function savedAfter(state, document, action) {
  return action.type === "document/saved" || action.type === "document/loaded" ? document : state.saved;
}
