import assert from "node:assert/strict";
import test from "node:test";

import { DEFAULTS, reduce, restore, save } from "../src/settings.mjs";

test("density goes to and fro", () => {
  const compact = reduce(DEFAULTS, { type: "density/toggled" });
  assert.equal(compact.density, "compact");
  assert.equal(reduce(compact, { type: "density/toggled" }).density, "cosy");
});

test("unknown actions change nothing", () => {
  assert.equal(reduce(DEFAULTS, { type: "weather/changed" }), DEFAULTS);
});

test("settings survive a reload", () => {
  const state = { ...DEFAULTS, density: "compact", fontSize: 20, menuOpen: true };
  assert.deepEqual(restore(save(state)), { ...state, menuOpen: false });
});

test("what was not saved by us is ignored", () => {
  for (const saved of [null, "", "null", "{", '{"density": "airy", "fontSize": 99}']) {
    assert.deepEqual(restore(saved), DEFAULTS);
  }
});
