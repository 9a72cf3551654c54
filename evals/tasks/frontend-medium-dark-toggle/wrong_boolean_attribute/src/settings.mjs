// What a reader can set, how actions change it, and how it outlives the page.

export const DEFAULTS = Object.freeze({
  theme: "light",
  density: "cosy",
  fontSize: 16,
  menuOpen: false,
});

export const FONT_SIZES = Object.freeze({ smallest: 12, largest: 24, step: 2 });

// Settings that are saved, each with what it may be. The rest starts anew on each page.
const SAVED = {
  theme: (value) => value === "light" || value === "dark",
  density: (value) => value === "cosy" || value === "compact",
  fontSize: (value) => Number.isInteger(value) && value >= FONT_SIZES.smallest && value <= FONT_SIZES.largest,
};

// An action never changes the state that it meets: it gives a new one, or the same if there is nothing to do.
export function reduce(state, action) {
  switch (action.type) {
    case "theme/toggled":
      return { ...state, theme: state.theme === "dark" ? "light" : "dark" };
    case "density/toggled":
      return { ...state, density: state.density === "cosy" ? "compact" : "cosy" };
    case "font/larger":
      return { ...state, fontSize: Math.min(state.fontSize + FONT_SIZES.step, FONT_SIZES.largest) };
    case "font/smaller":
      return { ...state, fontSize: Math.max(state.fontSize - FONT_SIZES.step, FONT_SIZES.smallest) };
    case "menu/toggled":
      return { ...state, menuOpen: !state.menuOpen };
    default:
      return state;
  }
}

// The text that is put into the browser's storage.
export function save(state) {
  return JSON.stringify(Object.fromEntries(Object.keys(SAVED).map((name) => [name, state[name]])));
}

// The state that a page starts with, from what was saved, or null.
export function restore(saved) {
  const state = { ...DEFAULTS };
  let stored;
  try {
    stored = JSON.parse(saved) ?? {};
  } catch {
    return state;
  }
  for (const [name, isAllowed] of Object.entries(SAVED)) {
    if (isAllowed(stored[name])) state[name] = stored[name];
  }
  return state;
}
