// What is known of a session in one look.

import { isOver, type SessionView } from "../../api/types.ts";
import { duration, latency } from "../../strings.ts";
import { useNow } from "../../ui/clock.ts";
import { clock, dayAndTime, megabytes } from "../figures.ts";
import { secondsSince } from "../live/freshness.ts";
import { type Fact, FactList } from "../shell/FactList.tsx";
import { words } from "../strings.ts";
import type { SessionRow } from "../types.ts";

interface FactsProps {
  view: SessionView;
  row: SessionRow | null;
}

export function Facts({ view, row }: FactsProps) {
  const now = useNow(view.endedAt === null);
  const ofAll = factsOf(view, now);
  const facts = row === null ? ofAll : [...whereOf(row), ...ofAll, ...agentFactsOf(row, isOver(view))];
  return <FactList facts={facts} />;
}

function factsOf(view: SessionView, now: number): Fact[] {
  const said = words.session.facts;
  const length = duration(secondsSince(view.createdAt, view.endedAt ?? now));
  return known([
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
  ]);
}

function whereOf(row: SessionRow): Fact[] {
  const said = words.session.facts;
  return known([
    [said.user, row.userId],
    [said.worker, row.workerId],
  ]);
}

function agentFactsOf(row: SessionRow, isDone: boolean): Fact[] {
  const said = words.session.facts;
  return known([
    [said.memory, isDone || row.agentMemoryBytes === null ? null : megabytes(row.agentMemoryBytes)],
    [said.agents, String(row.epoch)],
    [said.losses, row.losses === 0 ? null : String(row.losses)],
  ]);
}

function known(facts: (readonly [string, string | null | undefined])[]): Fact[] {
  return facts.flatMap(([name, value]) => (value === null || value === undefined ? [] : [[name, value] as const]));
}

function timeOf(at: number | null): string | null {
  return at === null ? null : clock(at);
}
