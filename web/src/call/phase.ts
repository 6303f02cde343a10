// What a call is at, from the facts that are known of it. The order of the questions is the point:
// what hinders most is told first.

import type { SessionStatus } from "../api/index.ts";

export type Phase =
  | "idle"
  | "starting"
  | "queued"
  | "connecting"
  | "waiting"
  | "listening"
  | "thinking"
  | "speaking"
  | "replacing"
  | "reconnecting"
  | "over";

export type Connection = "none" | "connecting" | "connected" | "reconnecting";

export interface Facts {
  /** Whether the user wants a call, from the click to the end. */
  isWanted: boolean;
  isOver: boolean;
  /** What the API says; null before its first answer. */
  status: SessionStatus | null;
  connection: Connection;
  /** Whether this browser has been in the room before. */
  wasConnected: boolean;
  /** `lk.agent.state`; null while no agent is in the room. */
  agentState: string | null;
  /** Whether an agent has been in the room before. */
  hadAgent: boolean;
}

/** Returns the phase that these facts amount to. */
export function phaseOf(facts: Facts): Phase {
  if (facts.isOver) return "over";
  if (!facts.isWanted) return "idle";
  if (facts.status === "queued") return "queued";
  if (facts.connection !== "connected") {
    if (facts.wasConnected) return "reconnecting";
    return facts.status === null ? "starting" : "connecting";
  }
  if (facts.agentState === null) return facts.hadAgent ? "replacing" : "waiting";
  return agentPhase(facts.agentState);
}

function agentPhase(state: string): Phase {
  if (state === "thinking" || state === "speaking") return state;
  // An agent that sets itself up is not there yet for the user; an idle one does listen.
  return state === "initializing" ? "waiting" : "listening";
}

/** Whether the user can talk with an agent now. */
export function isTalking(phase: Phase): boolean {
  return phase === "listening" || phase === "thinking" || phase === "speaking";
}

/** Whether the user is in the room, or on the way back to it. */
export function isPastDoor(phase: Phase): boolean {
  return isTalking(phase) || phase === "waiting" || phase === "replacing" || phase === "reconnecting";
}
