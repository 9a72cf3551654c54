// The state of the builder: the document, the view, the document as it was saved last, and the steps that can be undone.
// States are never changed; an action gives a new one, or the same if there is nothing to do.

import { EMPTY, hasField, reduceDocument } from "./document.mjs";
import { NO_STEPS, recorded, redone, undone } from "./history.mjs";
import { START, reduceView } from "./view.mjs";

export function initialState() {
  return { document: EMPTY, view: START, saved: EMPTY, history: NO_STEPS };
}

export function reduce(state, action) {
  if (action.type === "history/undone") return travelled(state, undone(state.history, state.document));
  if (action.type === "history/redone") return travelled(state, redone(state.history, state.document));
  const document = reduceDocument(state.document, action);
  const view = withoutGoneField(reduceView(state.view, action), document);
  const saved = savedAfter(state, document, action);
  const history = recorded(state.history, state.document, document, action);
  const isSame = document === state.document && view === state.view && saved === state.saved;
  return isSame && history === state.history ? state : { ...state, document, view, saved, history };
}

function travelled(state, to) {
  if (to === null) return state.history.run === null ? state : { ...state, history: { ...state.history, run: null } };
  return { ...state, ...to, view: withoutGoneField(state.view, to.document) };
}

export function canUndo(state) {
  return state.history.past.length > 0;
}

export function canRedo(state) {
  return state.history.future.length > 0;
}

export function isDirty(state) {
  return state.document !== state.saved;
}

// A draft, for the browser's storage. What was saved is the server's to know.
export function draft(state) {
  const { document, view } = state;
  return JSON.stringify({ document, view });
}

// The state of a draft, which always counts as not saved.
export function restored(text) {
  const { document, view } = JSON.parse(text);
  return { ...initialState(), document, view };
}

function withoutGoneField(view, document) {
  return view.selectedId === null || hasField(document, view.selectedId) ? view : { ...view, selectedId: null };
}

function savedAfter(state, document, action) {
  return action.type === "document/saved" || action.type === "document/loaded" ? document : state.saved;
}
