// Everything that is known of a call, as its views read it.

import type { QueuePlace, SessionView } from "../api/index.ts";
import type { Line } from "./lines.ts";
import type { MicrophoneState } from "./microphone.ts";
import { type Facts, type Phase, phaseOf } from "./phase.ts";
import type { Trouble } from "./trouble.ts";

export interface CallState extends Omit<Facts, "status"> {
  sessionId: string | null;
  /** The last that the API said. */
  view: SessionView | null;
  /** The place in line, and when it was told. */
  queue: (QueuePlace & { toldAt: number }) | null;
  microphone: MicrophoneState;
  /** What keeps the user from being heard. */
  hindrance: Trouble | null;
  /** Why there is no call, or none any more. */
  trouble: Trouble | null;
  lines: readonly Line[];
  marks: Marks;
}

/** When what happened, in ms since 1970; nothing is known of before the page was loaded again. */
export interface Marks {
  asked: number | null;
  answered: number | null;
  connected: number | null;
  agentCame: number | null;
  agentSpoke: number | null;
}

export const NO_MARKS: Marks = {
  asked: null,
  answered: null,
  connected: null,
  agentCame: null,
  agentSpoke: null,
};

export const NO_CALL: CallState = {
  isWanted: false,
  isOver: false,
  connection: "none",
  wasConnected: false,
  agentState: null,
  hadAgent: false,
  sessionId: null,
  view: null,
  queue: null,
  microphone: "off",
  hindrance: null,
  trouble: null,
  lines: [],
  marks: NO_MARKS,
};

/** Returns the phase that a state amounts to. */
export function phaseOfState(state: CallState): Phase {
  return phaseOf({ ...state, status: state.view?.status ?? saidAtStart(state) });
}

/** What a start's own answer says of the session, before it was looked at for the first time. */
function saidAtStart({ sessionId, queue }: CallState): "queued" | "starting" | null {
  if (queue !== null) return "queued";
  return sessionId === null ? null : "starting";
}
