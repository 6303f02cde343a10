import { describe, expect, it } from "vitest";

import { freshnessOf, secondsSince } from "../../../src/console/live/freshness.ts";
import type { Polled } from "../../../src/console/live/poller.ts";

const NEW: Polled<number> = { value: null, isCurrent: false, at: null, error: null, failingSince: null, nextAt: null };
const EVERY_MS = 2_000;

describe("what is shown", () => {
  it("is waited for before the first answer", () => {
    expect(freshnessOf(NEW, 0, EVERY_MS)).toBe("waiting");
  });

  it("is live while answers come, and late when one is due for long", () => {
    const polled = { ...NEW, value: 1, at: 100_000 };
    expect(freshnessOf(polled, 110_000, EVERY_MS)).toBe("live");
    expect(freshnessOf(polled, 110_001, EVERY_MS)).toBe("late");
  });

  it("is old as soon as an answer fails", () => {
    const polled = { ...NEW, value: 1, at: 100_000, error: new Error("away"), failingSince: 101_000 };
    expect(freshnessOf(polled, 101_000, EVERY_MS)).toBe("failing");
  });

  it("is never from the future", () => {
    expect(secondsSince(5_000, 3_000)).toBe(0);
    expect(secondsSince(3_000, 5_400)).toBe(2);
  });
});
