// How often what is on record of a session is asked for.

import type { Rhythm } from "../live/poller.ts";

const LIVE: Rhythm<unknown> = { everyMs: 2_000 };
const SETTLED: Rhythm<unknown> = { everyMs: 2_000, isLast: () => true };

/** Returns the rhythm while more may be written down, or once that is over. */
export function rhythmOf(isSettled: boolean): Rhythm<unknown> {
  return isSettled ? SETTLED : LIVE;
}
