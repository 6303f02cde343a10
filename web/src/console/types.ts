// What the API answers to an admin. Times are in ms since 1970. Fields with a question mark are
// missing from servers older than this page.

import type { SessionStatus, SessionView } from "../api/types.ts";

export interface Worker {
  id: string;
  /** How many calls it takes. */
  capacity: number;
  active: number;
  /** Warm processes that wait for a call. */
  idle: number;
  /** From 0 to 1. */
  load: number;
  draining: boolean;
  /** Whether it drains because there are more than are wanted. */
  surplus?: boolean;
  host: string;
  version: string;
  seenAt: number;
}

/** How many warm processes the traffic asks for, and why. */
export interface PoolTuning {
  size: number;
  why: "traffic" | "rate" | "calming" | "schedule" | "least" | "most";
  /** Of the last hour. */
  starts: number;
  /** The share of these that this size would have served warm; null of none. */
  hitShare: number | null;
  /** The most of them within the time to refill. */
  peak: number;
  refillMs: number;
  at: number;
}

export interface Pool {
  /** What an admin has set; null: traffic and each worker's POOL_SIZE decide. */
  target: number | null;
  /** Null where nobody tunes the pool, or not yet. */
  tuning?: PoolTuning | null;
  actual: number;
  totalSpawned: number;
  /** Calls that a warm process took. */
  totalAssigned: number;
  /** Calls that found none. */
  totalCold: number;
}

/** Of the start latency, in ms; null while there were no starts. */
export interface Percentiles {
  p50: number | null;
  p90: number | null;
  p95: number | null;
  p99: number | null;
}

export interface Queue {
  length: number;
  oldestWaitMs: number | null;
}

export interface Alert {
  code: string;
  severity: "warning" | "critical";
  /** What it means, and what to do. */
  message: string;
  value: number;
  limit: number;
}

/** How many workers shall take calls, and what that comes from. */
export interface Scaling {
  desired: number;
  current: number;
  reason: string;
  calls: number;
  waiting: number;
  /** How many places shall be free beside them. */
  reserve: number;
  places: number;
  placesPerWorker: number;
}

/** A provider's model that the workers leave alone for a while. */
export interface Outage {
  name: string;
  since: number;
  /** Null: it is tried again with the next call. */
  until: number | null;
}

export type BreakerState = "closed" | "open" | "half_open";

export interface Circuits {
  redis: BreakerState;
  livekit: BreakerState;
  providers: Outage[];
}

/** How many sessions may fail, and how many did. */
export interface ErrorBudget {
  /** The share that is to be good, from 0 to 1. */
  objective: number;
  /** Over how long it is counted. */
  windowDays: number;
  good: number;
  bad: number;
  /** 1 while nothing is used up; 0 when all of it is, and less when more failed than may. */
  remaining: number;
  /** How many times too fast the last hour used it up; null where it had no outcome. */
  burnRate: number | null;
}

export type SessionCounts = Record<SessionStatus, number>;

export interface Fleet {
  sessions: SessionCounts;
  /** How many sessions may be held at once. */
  capacity: number;
  workers: Worker[];
  pool: Pool;
  latency: Percentiles;
  circuits?: Circuits | null;
  queue?: Queue | null;
  alerts?: Alert[] | null;
  scaling?: Scaling | null;
  errorBudget?: ErrorBudget | null;
}

/** What happened in one minute. */
export interface Minute {
  /** When it began. */
  at: number;
  admitted: number;
  ready: number;
  failed: number;
  ended: number;
  expired: number;
}

export interface LatencyCounts {
  edgesMs: number[];
  /** One more than there are edges: the last counts what took longer than all of them. */
  counts: number[];
}

export interface History {
  points: Minute[];
  latency: LatencyCounts;
  /** From 0 to 1; null while there were no starts. */
  successRate: number | null;
}

/** A session with what only an admin may know of it. */
export interface SessionRecord extends SessionView {
  userId: string | null;
  workerId: string | null;
  agentPid: number | null;
  agentMemoryBytes: number | null;
  /** Counts the agents that were sent, from 1. */
  epoch: number;
  /** How many of its agents were lost lately. */
  losses: number;
}

export interface SessionPage {
  sessions: SessionRecord[];
  /** Where the next page begins; null at the end. */
  next: string | null;
}
