// What a screen reader is told as it changes. It stands outside of the views: a region that comes with
// its words is not read.

import { isOver as isSessionOver } from "../api/index.ts";
import { isTalking, type Phase } from "../call/phase.ts";
import type { CallState } from "../call/state.ts";
import { useCallState } from "../call/useCall.ts";
import { strings } from "../strings.ts";
import { useHint } from "./Stage.tsx";

export function Spoken({ phase }: { phase: Phase }) {
  const place = useCallState((state) => state.queue?.position ?? null);
  const end = useCallState(endOf);
  const hint = useHint(phase);
  const words: (string | null)[] = [];
  // Whose turn it is can be heard: it would talk over the agent. Trouble is an alert by itself.
  if (phase !== "idle") words.push(isTalking(phase) ? strings.there : strings.phases[phase]);
  if (phase === "queued" && place !== null) words.push(strings.queue.place(place));
  words.push(phase === "over" ? end : hint);
  return (
    <p className="hidden" role="status">
      {words.filter((text) => text !== null).join(". ")}
    </p>
  );
}

/** Returns why a call is over that has ended without trouble, once the API has said so. */
export function endOf({ view }: CallState): string | null {
  if (view === null || !isSessionOver(view)) return null;
  const known: Readonly<Record<string, string>> = strings.over.reasons;
  const { reason = null } = view;
  if (reason !== null) return known[reason] ?? view.message;
  // The user has ended it, and needs no reason; only that nobody came is worth a word.
  return view.readyAt === null ? view.message : null;
}
