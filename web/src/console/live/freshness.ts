// How fresh what is shown is.

import type { Polled } from "./poller.ts";

/** A wall must not look alive when it is not: after so many missed answers it is late. */
const LATE_AFTER_ROUNDS = 5;

export type Freshness = "waiting" | "live" | "late" | "failing";

/** Says how fresh an answer is that should come every so often. */
export function freshnessOf(polled: Polled<unknown>, now: number, everyMs: number): Freshness {
  if (polled.error !== null) return "failing";
  if (polled.at === null) return "waiting";
  return now - polled.at > LATE_AFTER_ROUNDS * everyMs ? "late" : "live";
}

/** Returns the seconds that have passed since; never less than none, as clocks differ. */
export function secondsSince(at: number, now: number): number {
  return Math.max(0, Math.round((now - at) / 1000));
}
