import { describe, expect, it } from "vitest";

import { binsOf, edgeWithin, fullestOf } from "../../../src/console/charts/histogram.ts";
import { lowestOf, successSeries, totalsOf } from "../../../src/console/charts/series.ts";
import type { Minute } from "../../../src/console/types.ts";

const EDGES = [250, 500, 1_000, 2_000, 5_000, 10_000];

function minutes(...some: Partial<Minute>[]): Minute[] {
  const none = { admitted: 0, ready: 0, failed: 0, ended: 0, expired: 0 };
  return some.map((minute, place) => ({ ...none, at: 60_000 * place, ...minute }));
}

describe("the success rate over time", () => {
  it("tells of the minutes before each point, too", () => {
    const series = successSeries(minutes({ ready: 1 }, { failed: 1 }, { ready: 2 }, {}), 2);
    expect(series).toEqual([1, 0.5, 2 / 3, 1]);
  });

  it("has gaps where nothing was started", () => {
    expect(successSeries(minutes({}, { ready: 3 }, {}, {}), 2)).toEqual([null, 1, 1, null]);
    expect(successSeries([])).toEqual([]);
  });

  it("has a lowest point, if any", () => {
    expect(lowestOf([null, 0.9, 0.5, 1])).toBe(0.5);
    expect(lowestOf([null, null])).toBeNull();
  });
});

describe("what happened in an hour", () => {
  it("is added up", () => {
    const some = minutes({ admitted: 3, ready: 2, failed: 1 }, { admitted: 5, ended: 4, expired: 1 }, {});
    expect(totalsOf(some)).toEqual({ admitted: 8, ready: 2, failed: 1, ended: 4, expired: 1, busiest: 5 });
  });

  it("may be nothing", () => {
    expect(totalsOf([])).toEqual({ admitted: 0, ready: 0, failed: 0, ended: 0, expired: 0, busiest: 0 });
  });
});

describe("the histogram of start latency", () => {
  const bins = binsOf({ edgesMs: EDGES, counts: [10, 60, 20, 5, 0, 0, 5] });

  it("has a bin below the first edge and one above the last", () => {
    expect(bins).toHaveLength(7);
    expect(bins[0]).toEqual({ aboveMs: null, upToMs: 250, count: 10, share: 0.1 });
    expect(bins[1]).toEqual({ aboveMs: 250, upToMs: 500, count: 60, share: 0.6 });
    expect(bins[6]).toEqual({ aboveMs: 10_000, upToMs: null, count: 5, share: 0.05 });
  });

  it("tells within what time a share of starts was", () => {
    expect(edgeWithin(bins, 0.5)).toMatchObject({ edgeMs: 500 });
    expect(edgeWithin(bins, 0.9)?.edgeMs).toBe(1_000);
    expect(edgeWithin(bins, 0.99)).toBeNull();
  });

  it("tells which bin has most", () => {
    expect(fullestOf(bins)?.upToMs).toBe(500);
  });

  it("may be empty", () => {
    const none = binsOf({ edgesMs: EDGES, counts: [0, 0, 0, 0, 0, 0, 0] });
    expect(none.every((bin) => bin.share === 0)).toBe(true);
    expect([edgeWithin(none, 0.5), fullestOf(none)]).toEqual([null, null]);
  });

  it("is not drawn from counts that do not fit", () => {
    expect(binsOf({ edgesMs: EDGES, counts: [1, 2] })).toEqual([]);
  });
});
