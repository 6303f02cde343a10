// What is known of a session in one look.

import { isOver } from "../../api/types.ts";
import { duration, latency } from "../../strings.ts";
import { useNow } from "../../ui/clock.ts";
import { clock, dayAndTime, megabytes } from "../figures.ts";
import { secondsSince } from "../live/freshness.ts";
import { type Fact, FactList } from "../shell/FactList.tsx";
import { words } from "../strings.ts";
import type { SessionRecord } from "../types.ts";

export function Facts({ view }: { view: SessionRecord }) {
  const now = useNow(view.endedAt === null);
  return <FactList facts={factsOf(view, now)} />;
}

function factsOf(view: SessionRecord, now: number): Fact[] {
  const said = words.session.facts;
  const length = duration(secondsSince(view.createdAt, view.endedAt ?? now));
  const memory = isOver(view) ? null : view.agentMemoryBytes;
  return known([
    [said.user, view.userId],
    [said.worker, view.workerId],
    [said.created, dayAndTime(view.createdAt)],
    [said.ready, timeOf(view.readyAt)],
    [said.joined, timeOf(view.joinedAt)],
    [said.ended, timeOf(view.endedAt)],
    [said.length, length],
    [said.startup, view.startupTime === null ? null : latency(1000 * view.startupTime)],
    [said.warm, view.prewarmed === null ? null : view.prewarmed ? said.yes : said.no],
    // The last that was heard of it.
    [said.agentState, isOver(view) ? null : view.agentState],
    [said.persona, view.persona],
    [said.reason, view.reason],
    [said.error, view.error?.message],
    [said.room, view.roomName === `vf-${view.sessionId}` ? null : view.roomName],
    [said.memory, memory === null ? null : megabytes(memory)],
    [said.agents, String(view.epoch)],
    [said.losses, view.losses === 0 ? null : String(view.losses)],
  ]);
}

function known(facts: (readonly [string, string | null | undefined])[]): Fact[] {
  return facts.flatMap(([name, value]) => (value === null || value === undefined ? [] : [[name, value] as const]));
}

function timeOf(at: number | null): string | null {
  return at === null ? null : clock(at);
}
