// What is shown of a form: which field is selected, and which panel is open.

export const START = Object.freeze({ selectedId: null, panel: "fields" });

export function reduceView(view, action) {
  switch (action.type) {
    case "view/selected":
      return view.selectedId === action.id ? view : { ...view, selectedId: action.id };
    case "view/panel":
      return view.panel === action.panel ? view : { ...view, panel: action.panel };
    case "document/loaded":
      return START;
    default:
      return view;
  }
}
