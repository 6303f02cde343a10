import { useEffect, useState, useSyncExternalStore } from "react";

import { type Ask, type Polled, Poller, type Rhythm } from "./poller.ts";

/**
 * Polls while the component is there. `ask` and `rhythm` have to stay the same object for as long as
 * they mean the same: another one is asked at once.
 */
export function usePolled<T>(ask: Ask<T>, rhythm: Rhythm<T>): [Polled<T>, () => void] {
  const [poller] = useState(() => new Poller<T>());
  useEffect(() => {
    poller.start(ask, rhythm);
    return () => poller.stop();
  }, [poller, ask, rhythm]);
  return [useSyncExternalStore(poller.subscribe, poller.snapshot), poller.refresh];
}
