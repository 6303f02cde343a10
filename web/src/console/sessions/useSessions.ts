import { useCallback, useState } from "react";

import type { Filters } from "../address/address.ts";
import type { Admin } from "../api.ts";
import type { Polled, Rhythm } from "../live/poller.ts";
import { usePolled } from "../live/usePolled.ts";
import type { SessionPage } from "../types.ts";
import { cursorOf, FIRST, type Pages, toNext, toPrevious } from "./paging.ts";

const RHYTHM: Rhythm<SessionPage> = { everyMs: 3_000 };
const PAGE_SIZE = 25;

export interface SessionList {
  polled: Polled<SessionPage>;
  pages: Pages;
  onNext: () => void;
  onPrevious: () => void;
  refresh: () => void;
}

/** Follows one page of the sessions that some filters let through; other filters begin at the first. */
export function useSessions(admin: Admin, { state, user, worker }: Filters): SessionList {
  const list = JSON.stringify([state, user, worker]);
  const [turned, setTurned] = useState({ list, pages: FIRST });
  const pages = turned.list === list ? turned.pages : FIRST;
  const after = cursorOf(pages);
  const ask = useCallback(
    (signal: AbortSignal) => admin.sessions({ state, user, worker, after, limit: PAGE_SIZE }, { signal }),
    [admin, state, user, worker, after],
  );
  const [polled, refresh] = usePolled(ask, RHYTHM);
  const next = polled.isCurrent ? (polled.value?.next ?? null) : null;
  return {
    polled,
    pages,
    onNext: () => {
      if (next !== null) setTurned({ list, pages: toNext(pages, next) });
    },
    onPrevious: () => setTurned({ list, pages: toPrevious(pages) }),
    refresh,
  };
}
