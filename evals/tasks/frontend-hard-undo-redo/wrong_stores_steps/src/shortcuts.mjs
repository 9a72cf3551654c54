// Keys of the builder. Gives the action of a keyboard event, or null.

export function actionFor(event, state) {
  if (event.altKey) return null;
  const isCommand = event.ctrlKey || event.metaKey;
  if (isCommand && event.key === "s") return { type: "document/saved" };
  if (isCommand && event.key.toLowerCase() === "z") {
    return { type: event.shiftKey ? "history/redone" : "history/undone" };
  }
  if (event.ctrlKey && event.key.toLowerCase() === "y") return { type: "history/redone" };
  if (!isCommand && event.key === "Delete" && state.view.selectedId !== null) {
    return { type: "field/removed", id: state.view.selectedId };
  }
  if (!isCommand && event.key === "Escape") return { type: "view/selected", id: null };
  return null;
}
