// The last hour, minute by minute, as the charts draw it.

import type { Minute } from "../types.ts";

/** A minute alone has few starts: each point tells of so many minutes, its own the last. */
export const WINDOW_MINUTES = 5;

/** Returns the share of starts that went well in the minutes up to each one; null where there were none. */
export function successSeries(minutes: Minute[], window = WINDOW_MINUTES): (number | null)[] {
  return minutes.map((_, place) => {
    const some = minutes.slice(Math.max(0, place - window + 1), place + 1);
    const ready = some.reduce((total, minute) => total + minute.ready, 0);
    const failed = some.reduce((total, minute) => total + minute.failed, 0);
    return ready + failed === 0 ? null : ready / (ready + failed);
  });
}

export interface Totals {
  admitted: number;
  ready: number;
  failed: number;
  ended: number;
  expired: number;
  /** The most that were admitted in one minute. */
  busiest: number;
}

/** Returns what happened in all minutes together. */
export function totalsOf(minutes: Minute[]): Totals {
  const none: Totals = { admitted: 0, ready: 0, failed: 0, ended: 0, expired: 0, busiest: 0 };
  return minutes.reduce(
    (total, minute) => ({
      admitted: total.admitted + minute.admitted,
      ready: total.ready + minute.ready,
      failed: total.failed + minute.failed,
      ended: total.ended + minute.ended,
      expired: total.expired + minute.expired,
      busiest: Math.max(total.busiest, minute.admitted),
    }),
    none,
  );
}

/** Returns the lowest value of a series; null where there is none. */
export function lowestOf(series: (number | null)[]): number | null {
  const values = series.filter((value) => value !== null);
  return values.length === 0 ? null : Math.min(...values);
}
