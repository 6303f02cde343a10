import { describe, expect, it } from "vitest";

import { breakersOf } from "../../../src/console/fleet/circuits.ts";
import {
  byUrgency,
  countOf,
  heldOf,
  placesOf,
  placesOfAll,
  reasonOf,
  statusesOf,
  warmHitRate,
} from "../../../src/console/fleet/counts.ts";
import { words } from "../../../src/console/strings.ts";
import type { Alert, PoolTuning, Scaling, SessionCounts, Worker } from "../../../src/console/types.ts";

const SESSIONS: SessionCounts = {
  queued: 1,
  starting: 2,
  ready: 3,
  active: 4,
  recovering: 5,
  ending: 10,
  ended: 20,
  failed: 30,
  expired: 40,
};
const WORKER: Worker = {
  id: "w-1",
  capacity: 10,
  active: 4,
  idle: 3,
  load: 0.5,
  draining: false,
  host: "h",
  version: "1",
  seenAt: 0,
};

describe("sessions", () => {
  it("are counted as the API groups them", () => {
    expect(countOf("live", SESSIONS)).toBe(15);
    expect(countOf("over", SESSIONS)).toBe(100);
    expect(countOf("all", SESSIONS)).toBe(115);
    expect(countOf("ready", SESSIONS)).toBe(3);
    expect(heldOf(SESSIONS)).toBe(14);
  });

  it("that are over are all that are not live", () => {
    expect([...statusesOf("live"), ...statusesOf("over")]).toEqual(statusesOf("all"));
  });
});

describe("the places of a worker", () => {
  it("are in a call, warm, or cold", () => {
    expect(placesOf(WORKER)).toEqual({ active: 4, warm: 3, cold: 3, capacity: 10 });
  });

  it("are never more than it has", () => {
    expect(placesOf({ ...WORKER, active: 9, idle: 5 })).toEqual({ active: 9, warm: 1, cold: 0, capacity: 10 });
    expect(placesOf({ ...WORKER, active: 12 })).toMatchObject({ warm: 0, cold: 0 });
  });

  it("count for the fleet only while it takes calls", () => {
    const places = placesOfAll([WORKER, { ...WORKER, id: "w-2", draining: true }]);
    expect(places).toEqual({ active: 4, warm: 3, cold: 3, capacity: 10 });
  });
});

describe("how many workers are wanted", () => {
  const SCALING: Scaling = {
    desired: 4,
    current: 3,
    reason: "load",
    calls: 12,
    waiting: 5,
    reserve: 4,
    places: 15,
    placesPerWorker: 5,
  };
  const said = (changes: Partial<Scaling>): string => words.workers.scaling({ ...SCALING, ...changes });

  it("is told with what it comes from", () => {
    expect(said({})).toBe("3 workers, 4 wanted: 12 calls, 5 in line, 4 to spare");
    expect(said({ current: 1, calls: 1 })).toBe("1 worker, 4 wanted: 1 call, 5 in line, 4 to spare");
    expect(said({ current: 0, desired: 1, calls: 0, waiting: 0, reserve: 1 })).toBe(
      "0 workers, 1 wanted: 0 calls, 0 in line, 1 to spare",
    );
  });

  it.each([
    ["lately", " (more were needed a few minutes ago)"],
    ["max_sessions", " (no more than MAX_SESSIONS)"],
    ["min_workers", " (no fewer than SCALE_MIN_WORKERS)"],
    ["max_workers", " (no more than SCALE_MAX_WORKERS)"],
    // Of a newer server.
    ["the weather", ""],
  ])("says why it is not what is needed now: %s", (reason, text) => {
    expect(said({ reason })).toBe(`3 workers, 4 wanted: 12 calls, 5 in line, 4 to spare${text}`);
  });
});

describe("the pool", () => {
  const POOL = { target: 3, actual: 3, totalSpawned: 9, totalAssigned: 3, totalCold: 1 };

  it("is worth the share of calls that found a warm process", () => {
    expect(warmHitRate(POOL)).toBe(0.75);
  });

  it("is worth nothing known before the first call", () => {
    expect(warmHitRate({ ...POOL, totalAssigned: 0, totalCold: 0 })).toBeNull();
  });
});

describe("the number of warm processes that the traffic asks for", () => {
  const TUNING: PoolTuning = { size: 7, why: "traffic", starts: 41, hitShare: 0.976, peak: 9, refillMs: 1200, at: 0 };

  it("is explained by what it would have done in the last hour", () => {
    expect(reasonOf(TUNING)).toBe(
      "Of the 41 starts of the last hour, this many would have served 97.6 % warm. At most 9 came within 1.2 s, the time to replace one.",
    );
  });

  it("is explained in the singular, too", () => {
    expect(reasonOf({ ...TUNING, starts: 1, hitShare: 1 })).toMatch(/^Of the 1 start of .* 100 % warm/);
  });

  it.each(["rate", "calming", "schedule", "least", "most"] as const)("is explained where it is by %s", (why) => {
    expect(reasonOf({ ...TUNING, why })).toBe(words.pool.why[why]);
  });
});

describe("alerts", () => {
  it("come with the critical ones first, else as the server has them", () => {
    const alert = (code: string, severity: Alert["severity"]): Alert => ({
      code,
      severity,
      message: "",
      value: 1,
      limit: 0,
    });
    const alerts = [alert("a", "warning"), alert("b", "critical"), alert("c", "warning"), alert("d", "critical")];
    expect(byUrgency(alerts).map((one) => one.code)).toEqual(["b", "d", "a", "c"]);
  });
});

describe("breakers", () => {
  it("are the server's own and those of providers, what is not closed first", () => {
    const outage = { name: "llm api.example.com/some-model", since: 1_000, until: null };
    const own = { since: null, until: null };
    expect(breakersOf({ redis: "closed", livekit: "half_open", providers: [outage] })).toEqual([
      { ...outage, state: "open" },
      { ...own, name: "livekit", state: "half_open" },
      { ...own, name: "redis", state: "closed" },
    ]);
  });

  it.each([null, undefined])("are none where a server tells of none: %j", (circuits) => {
    expect(breakersOf(circuits)).toEqual([]);
  });
});
