import { useCallback } from "react";

import type { Admin } from "../api.ts";
import type { Polled, Rhythm } from "../live/poller.ts";
import { usePolled } from "../live/usePolled.ts";
import type { Fleet, History } from "../types.ts";

export const FLEET: Rhythm<Fleet> = { everyMs: 2_000 };
const HISTORY: Rhythm<History> = { everyMs: 15_000 };
const HISTORY_MINUTES = 60;

export interface FollowedFleet {
  fleet: Polled<Fleet>;
  history: Polled<History>;
  refresh: () => void;
}

/** Follows the fleet and its last hour. */
export function useFleet(admin: Admin): FollowedFleet {
  const askFleet = useCallback((signal: AbortSignal) => admin.fleet({ signal }), [admin]);
  const askHistory = useCallback((signal: AbortSignal) => admin.history(HISTORY_MINUTES, { signal }), [admin]);
  const [fleet, refresh] = usePolled(askFleet, FLEET);
  const [history] = usePolled(askHistory, HISTORY);
  return { fleet, history, refresh };
}
