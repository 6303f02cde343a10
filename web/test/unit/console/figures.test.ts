import { describe, expect, it } from "vitest";

import {
  count,
  dayAndTime,
  hourAndMinute,
  megabytes,
  percent,
  preciseClock,
  roundPercent,
  shareOf,
} from "../../../src/console/figures.ts";

describe("a percentage", () => {
  it.each([
    [1, "100 %"],
    [0, "0 %"],
    [0.5, "50.0 %"],
    [0.98765, "98.8 %"],
    // One failure in ten thousand is not none.
    [0.9999, "99.9 %"],
    [0.0001, "0.1 %"],
    [1.2, "100 %"],
    [-1, "0 %"],
  ])("of %d is %s", (share, text) => {
    expect(percent(share)).toBe(text);
  });

  it("may be whole", () => {
    expect(roundPercent(0.346)).toBe("35 %");
  });
});

describe("a share", () => {
  it("is none of nothing", () => {
    expect(shareOf(0, 0)).toBeNull();
    expect(shareOf(1, 4)).toBe(0.25);
  });
});

describe("a number", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1_000, "1\u202f000"],
    [12_345_678, "12\u202f345\u202f678"],
  ])("%d is read as %s", (value, text) => {
    expect(count(value)).toBe(text);
  });

  it("of bytes is read in megabytes", () => {
    expect(megabytes(300 * 1024 * 1024)).toBe("300 MB");
  });
});

describe("a time", () => {
  // By the clock of who looks, wherever that is.
  const at = new Date(2026, 2, 1, 9, 5, 7, 40).getTime();

  it("is read as a clock shows it", () => {
    expect([hourAndMinute(at), preciseClock(at)]).toEqual(["09:05", "09:05:07.040"]);
    expect(dayAndTime(at)).toBe("2026-03-01 09:05:07");
  });
});
