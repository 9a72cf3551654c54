// The form that is built: a title and fields. An action that changes nothing gives the very same document.

export const EMPTY = Object.freeze({ title: "Untitled form", fields: Object.freeze([]), nextId: 1 });

export function reduceDocument(document, action) {
  switch (action.type) {
    case "title/typed":
      return action.text === document.title ? document : { ...document, title: action.text };
    case "field/added":
      return added(document, action.kind);
    case "field/removed": {
      const fields = document.fields.filter((field) => field.id !== action.id);
      return fields.length === document.fields.length ? document : { ...document, fields };
    }
    case "field/labelled":
      return withField(document, action.id, "label", () => action.text);
    case "field/required":
      return withField(document, action.id, "required", (required) => !required);
    case "field/moved":
      return moved(document, action.id, action.by);
    case "document/loaded":
      return action.document;
    default:
      return document;
  }
}

export function hasField(document, id) {
  return document.fields.some((field) => field.id === id);
}

function added(document, kind) {
  const field = { id: document.nextId, kind, label: "", required: false };
  return { ...document, fields: [...document.fields, field], nextId: document.nextId + 1 };
}

function withField(document, id, name, change) {
  const field = document.fields.find((candidate) => candidate.id === id);
  if (field === undefined || change(field[name]) === field[name]) return document;
  const changed = { ...field, [name]: change(field[name]) };
  return { ...document, fields: document.fields.map((candidate) => (candidate === field ? changed : candidate)) };
}

function moved(document, id, by) {
  const from = document.fields.findIndex((field) => field.id === id);
  const to = from + by;
  if (from < 0 || by === 0 || to < 0 || to >= document.fields.length) return document;
  const fields = [...document.fields];
  fields.splice(to, 0, ...fields.splice(from, 1));
  return { ...document, fields };
}
