import { useEffect, useState } from "react";

import { reasonOf } from "../reason.ts";
import { words } from "../strings.ts";
import { useAnnounce } from "./Announcer.tsx";

export interface Outcome {
  isGood: boolean;
  text: string;
}

export interface Action {
  isRunning: boolean;
  outcome: Outcome | null;
  /** Does it, unless it is being done; `act` returns what is then to be said. */
  run: (act: () => Promise<string>) => Promise<void>;
}

/** What went well is old news after a while; what did not stays until it is tried again. */
const GOOD_NEWS_MS = 15_000;

/** Does something when it is asked to, and keeps what came of it. */
export function useAction(): Action {
  const announce = useAnnounce();
  const [isRunning, setRunning] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);

  useEffect(() => {
    if (outcome?.isGood !== true) return;
    const timer = setTimeout(() => setOutcome(null), GOOD_NEWS_MS);
    return () => clearTimeout(timer);
  }, [outcome]);

  const run = async (act: () => Promise<string>): Promise<void> => {
    if (isRunning) return;
    setRunning(true);
    setOutcome(null);
    const reached = await act().then(
      (text) => ({ isGood: true, text }),
      (error: unknown) => ({ isGood: false, text: words.actions.failed(reasonOf(error)) }),
    );
    setRunning(false);
    setOutcome(reached);
    announce(reached.text);
  };
  return { isRunning, outcome, run };
}
