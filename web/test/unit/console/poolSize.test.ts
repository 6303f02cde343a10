import { describe, expect, it } from "vitest";

import { clampSize, sizeOf } from "../../../src/console/fleet/poolSize.ts";

describe("the size of the pool", () => {
  it.each([
    ["0", 0],
    [" 12 ", 12],
    ["10000", 10_000],
  ])("%j is one that may be asked for", (text, size) => {
    expect(sizeOf(text)).toBe(size);
  });

  it.each(["", "-1", "10001", "1.5", "1e3", "ten", "9999999999"])("%j is none", (text) => {
    expect(sizeOf(text)).toBeNull();
  });

  it("stays within bounds when it is stepped", () => {
    expect([clampSize(-1), clampSize(5), clampSize(10_001)]).toEqual([0, 5, 10_000]);
  });
});
