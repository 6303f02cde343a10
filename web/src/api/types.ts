// What the API answers, as far as the page uses it. Times are in ms since 1970.

export type SessionStatus =
  | "queued"
  | "starting"
  | "ready"
  | "active"
  | "recovering"
  | "ending"
  | "ended"
  | "failed"
  | "expired";

export interface QueuePlace {
  /** Counted from 1. */
  position: number;
  /** Null while nobody knows how long sessions last. */
  etaSeconds: number | null;
}

export interface SessionView {
  sessionId: string;
  status: SessionStatus;
  /** The status in words for the user. */
  message: string;
  /** Counts the changes of the session. */
  revision: number;
  roomName: string;
  createdAt: number;
  readyAt: number | null;
  joinedAt: number | null;
  endedAt: number | null;
  /** From admission to the agent being audible, in seconds. */
  startupTime: number | null;
  prewarmed: boolean | null;
  agentState: string | null;
  queue: QueuePlace | null;
  /** From admission until the user has joined. */
  serverUrl: string | null;
  participantToken: string | null;
  error: { code: string; message: string } | null;
}

export interface Started {
  sessionId: string;
  status: SessionStatus;
  message: string;
  /** Proves ownership of the session. */
  sessionSecret: string;
  roomName: string;
  /** Missing while the session waits for a slot. */
  serverUrl?: string;
  participantToken?: string;
  queue?: QueuePlace;
}

export interface Token {
  serverUrl: string;
  participantToken: string;
}

export interface LogLine {
  at: number;
  level: string;
  text: string;
}

export interface Turn {
  role: "user" | "assistant";
  text: string;
  at: number;
}

const OVER: ReadonlySet<SessionStatus> = new Set(["ended", "failed", "expired"]);

/** Whether nothing changes any more. */
export function isOver(session: { status: SessionStatus }): boolean {
  return OVER.has(session.status);
}
