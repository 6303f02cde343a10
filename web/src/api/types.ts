// What the API answers, as far as pages use it. Times are in ms since 1970.

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
  /** Whom the start named; null is the fleet's default. Missing from servers that know no personas. */
  persona?: string | null;
  /** Why it ended, where that is known: time_limit, user_left, user_away, … */
  reason?: string | null;
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

/** How long the stages of one turn took, in ms; null where there was no such stage. */
export interface TurnTimes {
  role: "user" | "assistant";
  at: number;
  interrupted: boolean;
  transcriptionMs: number | null;
  endOfTurnMs: number | null;
  firstTokenMs: number | null;
  firstSoundMs: number | null;
  /** From the end of what the user said to the beginning of the answer. */
  answerMs: number | null;
}

export interface Usage {
  stage: string;
  provider: string;
  model: string;
  inputTokens: number;
  outputTokens: number;
  characters: number;
  audioMs: number;
  requests: number;
}

export interface Failure {
  stage: string;
  label: string;
  kind: string;
  recoverable: boolean;
  count: number;
  lastAt: number;
}

export type Moment =
  | "dispatched"
  | "received"
  | "accepted"
  | "assigned"
  | "launched"
  | "entered"
  | "claimed"
  | "joined"
  | "published"
  | "userJoined"
  | "greeted"
  | "userSpoke";

/** What one agent has written down; times in ms since 1970, by the clock of its machine. */
export interface AgentRecord {
  /** Counts the agents that were sent, from 1. */
  epoch: number;
  timeline: Record<Moment, number | null>;
  turns: TurnTimes[];
  turnsLeftOut: number;
  usage: Usage[];
  errors: Failure[];
  /** Null for an agent that is there, or was killed. */
  outcome: string | null;
  reason: string | null;
}

export interface Health {
  /** Whether all is well. */
  success: boolean;
  redis: "ok" | "unavailable";
  livekit: "ok" | "unavailable";
  /** Missing while Redis does not answer, as what follows. */
  sessions?: Record<"queued" | "starting" | "ready" | "active" | "recovering" | "pool" | "capacity", number>;
  workers?: number;
  /** How long the last sessions took to start, in ms; null while there were none. */
  latency?: { p50?: number | null; p95?: number | null };
}

const OVER: ReadonlySet<SessionStatus> = new Set(["ended", "failed", "expired"]);

/** Whether nothing changes any more. */
export function isOver(session: { status: SessionStatus }): boolean {
  return OVER.has(session.status);
}

/** The token of an answer, if it has one. */
export function tokenOf(value: { serverUrl?: string | null; participantToken?: string | null }): Token | null {
  if (!value.serverUrl || !value.participantToken) return null;
  return { serverUrl: value.serverUrl, participantToken: value.participantToken };
}

/** Whether there is nothing new in a view; a token is made anew with every look. */
export function tellsSame(view: SessionView, last: SessionView | null): boolean {
  if (last === null) return false;
  return JSON.stringify({ ...view, participantToken: null }) === JSON.stringify({ ...last, participantToken: null });
}
