import { describe, expect, it } from "vitest";

import {
  cursorOf,
  FIRST,
  hasPrevious,
  numberOf,
  toNext,
  toPrevious,
} from "../../../src/console/sessions/paging.ts";

describe("pages", () => {
  it("begin at the beginning", () => {
    expect([cursorOf(FIRST), numberOf(FIRST), hasPrevious(FIRST)]).toEqual([null, 1, false]);
  });

  it("are gone through forwards and back", () => {
    const third = toNext(toNext(FIRST, "active~1:a"), "active~2:b");
    expect([cursorOf(third), numberOf(third)]).toEqual(["active~2:b", 3]);
    const second = toPrevious(third);
    expect([cursorOf(second), numberOf(second), hasPrevious(second)]).toEqual(["active~1:a", 2, true]);
    expect(toPrevious(second)).toEqual(FIRST);
    expect(toPrevious(FIRST)).toEqual(FIRST);
  });

  it("are not gone to twice by two clicks", () => {
    const second = toNext(FIRST, "active~1:a");
    expect(toNext(second, "active~1:a")).toBe(second);
  });
});
