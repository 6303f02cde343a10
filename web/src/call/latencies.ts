// How long what took, from what was noted.

import type { AgentRecord } from "../api/index.ts";
import type { CallState, Marks } from "./state.ts";

/** Returns how long after the click everything else was, in ms. */
export function marksSince({ asked, ...others }: Marks): Omit<Marks, "asked"> {
  const since = (at: number | null): number | null => (asked === null || at === null ? null : at - asked);
  return {
    answered: since(others.answered),
    connected: since(others.connected),
    agentCame: since(others.agentCame),
    agentSpoke: since(others.agentSpoke),
  };
}

/** Returns how much longer a wait may take, counted down from when it was told; null: nobody knows. */
export function secondsLeft({ etaSeconds, toldAt }: NonNullable<CallState["queue"]>, now: number): number | null {
  return etaSeconds === null ? null : Math.max(0, etaSeconds - (now - toldAt) / 1000);
}

/** Returns how long the answers took, in ms, from the end of what the user said. */
export function answersOf(agents: readonly AgentRecord[]): number[] {
  const turns = agents.flatMap((agent) => agent.turns);
  return turns.map((turn) => turn.answerMs).filter((ms) => ms !== null);
}

/** Returns the middle of some numbers, of which there is one at least. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new RangeError("the median of nothing");
  return (low + high) / 2;
}
