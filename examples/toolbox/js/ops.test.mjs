import assert from "node:assert/strict";
import { test } from "node:test";

import { size } from "./ops.mjs";

test("a shape has its size", () => {
  assert.equal(size(3, 4), 12);
});
