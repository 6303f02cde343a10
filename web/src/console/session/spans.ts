// The timeline of one agent as a waterfall: how long it took from one moment to the next.

import type { AgentRecord, Moment } from "../../api/types.ts";

type Timeline = Partial<AgentRecord["timeline"]>;

/** What follows from each other, until the agent can be heard. */
const COMING = [
  "dispatched",
  "received",
  "accepted",
  "assigned",
  "launched",
  "entered",
  "claimed",
  "joined",
  "published",
] as const satisfies readonly Moment[];

/** How they meet: the user may come before the agent, and speak before it greets. */
const MEETING = ["userJoined", "greeted", "userSpoke"] as const satisfies readonly Moment[];

/** From one moment to the next. */
export interface Step {
  from: Moment;
  to: Moment;
  /** From the beginning of its stage. */
  startMs: number;
  lengthMs: number;
  /** How much earlier `to` was than `from`, by their clocks; 0 where they are in order. */
  aheadMs: number;
}

export interface Stage {
  first: Moment;
  /** In ms since 1970. */
  firstAt: number;
  /** The last moment that is known. */
  last: Moment;
  steps: Step[];
  totalMs: number;
}

/**
 * Returns how the agent came; null when no moment of it is known. Moments that are missing are left
 * out. When it was sent for is known by another machine's clock: a moment that seems to be before its
 * cause is drawn beside it, and says by how much.
 */
export function comingOf(timeline: Timeline): Stage | null {
  const known = knownOf(timeline, COMING);
  const [first, ...later] = known;
  if (first === undefined) return null;
  const steps: Step[] = [];
  let before = first;
  for (const { name, at } of later) {
    const seenAt = Math.max(at, before.at);
    steps.push({
      from: before.name,
      to: name,
      startMs: before.at - first.at,
      lengthMs: seenAt - before.at,
      aheadMs: seenAt - at,
    });
    before = { name, at: seenAt };
  }
  return { first: first.name, firstAt: first.at, last: before.name, steps, totalMs: before.at - first.at };
}

/**
 * Returns how agent and user met, from when the agent could be heard; null while nothing of it has
 * happened. Each moment is measured from the one of the others that came last before it.
 */
export function meetingOf(timeline: Timeline): Stage | null {
  const met = knownOf(timeline, MEETING);
  const [first, ...later] = [...knownOf(timeline, ["published"]), ...met];
  if (first === undefined || met.length === 0) return null;
  const seen = [first];
  const steps = later.map(({ name, at }): Step => {
    const from = seen.filter((one) => one.at <= at).reduce((last, one) => (one.at >= last.at ? one : last), first);
    seen.push({ name, at });
    return {
      from: from.name,
      to: name,
      startMs: Math.max(0, from.at - first.at),
      lengthMs: Math.max(0, at - from.at),
      aheadMs: Math.max(0, from.at - at),
    };
  });
  const last = seen.reduce((latest, one) => (one.at >= latest.at ? one : latest), first);
  return { first: first.name, firstAt: first.at, last: last.name, steps, totalMs: last.at - first.at };
}

function knownOf(timeline: Timeline, names: readonly Moment[]): { name: Moment; at: number }[] {
  return names.flatMap((name) => {
    const at = timeline[name];
    return typeof at === "number" ? [{ name, at }] : [];
  });
}
