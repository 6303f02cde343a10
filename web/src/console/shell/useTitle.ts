import { useEffect } from "react";

import type { Polled } from "../live/poller.ts";
import { words } from "../strings.ts";
import type { Fleet } from "../types.ts";

/** Lets a tab in the background say how many alerts there are, and whether the fleet is lost. */
export function useTitle({ value, error }: Polled<Fleet>): void {
  const alerts = value?.alerts?.length ?? 0;
  const news = error !== null ? words.bar.lostTitle : alerts > 0 ? words.alerts.tab(alerts) : "";
  useEffect(() => {
    document.title = [news, words.title, words.name].filter((part) => part !== "").join(" · ");
  }, [news]);
}
