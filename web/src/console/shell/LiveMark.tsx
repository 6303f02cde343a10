// Says how fresh the page is: a wall must not look alive when it is not.

import { useEffect, useRef } from "react";

import { Icon } from "../../ui/Icon.tsx";
import { useNow } from "../../ui/clock.ts";
import { useAnnounce } from "../actions/Announcer.tsx";
import { clock } from "../figures.ts";
import { type Freshness, freshnessOf, secondsSince } from "../live/freshness.ts";
import type { Polled } from "../live/poller.ts";
import { reasonOf } from "../reason.ts";
import { words } from "../strings.ts";

interface LiveMarkProps {
  polled: Polled<unknown>;
  everyMs: number;
}

export function LiveMark({ polled, everyMs }: LiveMarkProps) {
  const now = useNow();
  const freshness = freshnessOf(polled, now, everyMs);
  useAnnouncedLoss(freshness);
  return (
    <p className="live" data-freshness={freshness}>
      {freshness === "failing" ? <Icon name="warning" /> : <span className="live-dot" />}
      <span>{textOf(freshness, polled, now)}</span>
    </p>
  );
}

function textOf(freshness: Freshness, { at, error, failingSince, nextAt }: Polled<unknown>, now: number): string {
  if (freshness === "failing") {
    const lost = words.bar.failing(clock(failingSince ?? now));
    const retry = nextAt === null ? "" : `, ${words.bar.retry(secondsSince(now, nextAt))}`;
    return `${lost} · ${reasonOf(error)}${retry}`;
  }
  if (freshness === "waiting" || at === null) return words.bar.connecting;
  return words.bar[freshness](secondsSince(at, now));
}

/** Seconds are for eyes only; aloud it is said once that the fleet is lost, and once that it is back. */
function useAnnouncedLoss(freshness: Freshness): void {
  const announce = useAnnounce();
  const wasLost = useRef(false);
  const isLost = freshness === "failing";
  useEffect(() => {
    if (isLost !== wasLost.current) announce(isLost ? words.bar.lost : words.bar.back);
    wasLost.current = isLost;
  }, [isLost, announce]);
}
