// What can be counted from one answer about the fleet.

import type { SessionStatus } from "../../api/types.ts";
import { type StateFilter, STATUSES } from "../address/address.ts";
import { latency } from "../../strings.ts";
import { percent, shareOf } from "../figures.ts";
import { words } from "../strings.ts";
import type { Alert, Pool, PoolTuning, SessionCounts, Worker } from "../types.ts";

const HOLDING: ReadonlySet<SessionStatus> = new Set(["starting", "ready", "active", "recovering"]);
const LIVE: ReadonlySet<SessionStatus> = new Set(["queued", ...HOLDING]);

/** Returns the states that a filter lets through, as the API groups them. */
export function statusesOf(filter: StateFilter): SessionStatus[] {
  return STATUSES.filter((status) => {
    if (filter === "all") return true;
    if (filter === "live") return LIVE.has(status);
    if (filter === "over") return !LIVE.has(status);
    return status === filter;
  });
}

/** Returns how many sessions a filter lets through. */
export function countOf(filter: StateFilter, sessions: SessionCounts): number {
  return sum(statusesOf(filter).map((status) => sessions[status]));
}

/** Returns how many sessions hold a slot. */
export function heldOf(sessions: SessionCounts): number {
  return sum([...HOLDING].map((status) => sessions[status]));
}

export interface Places {
  active: number;
  /** Warm processes that could take a call at once. */
  warm: number;
  /** Places without a warm process. */
  cold: number;
  capacity: number;
}

/** Returns how the places of a worker are used. */
export function placesOf(worker: Worker): Places {
  const { active, capacity } = worker;
  const warm = Math.max(0, Math.min(worker.idle, capacity - active));
  return { active, warm, cold: Math.max(0, capacity - active - warm), capacity };
}

/** Returns how the places of all workers that take calls are used. */
export function placesOfAll(workers: Worker[]): Places {
  const all = workers.filter((worker) => !worker.draining).map(placesOf);
  return {
    active: sum(all.map((one) => one.active)),
    warm: sum(all.map((one) => one.warm)),
    cold: sum(all.map((one) => one.cold)),
    capacity: sum(all.map((one) => one.capacity)),
  };
}

/** Returns the share of calls that a warm process took; null while there were none. */
export function warmHitRate(pool: Pool): number | null {
  return shareOf(pool.totalAssigned, pool.totalAssigned + pool.totalCold);
}

/** Returns why the traffic asks for so many warm processes, in a sentence. */
export function reasonOf(tuning: PoolTuning): string {
  const { why } = words.pool;
  if (tuning.why !== "traffic") return why[tuning.why];
  const share = percent(tuning.hitShare ?? 1);
  return why.traffic(tuning.starts, share, tuning.peak, latency(tuning.refillMs));
}

/** Returns the alerts, the worst first. */
export function byUrgency(alerts: Alert[]): Alert[] {
  const isWorse = (alert: Alert): number => (alert.severity === "critical" ? 0 : 1);
  return [...alerts].sort((one, other) => isWorse(one) - isWorse(other));
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
