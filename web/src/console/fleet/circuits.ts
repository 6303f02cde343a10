// The circuit breakers: the server's own, and the providers that workers leave alone.

import type { Circuits } from "../types.ts";

export interface Breaker {
  /** What it guards. */
  name: string;
  /** `closed` lets calls through, `open` does not, `half_open` tries out; or what a later server says. */
  state: string;
  /** Of a provider: since when it is left alone. In ms since 1970, as `until`. */
  since: number | null;
  /** When it is tried again; null for the next call, and where nobody says. */
  until: number | null;
}

const NEIGHBOURS = ["redis", "livekit"] as const;

/** Returns the breakers, those that are not closed first; none for a server that tells of none. */
export function breakersOf(circuits: Circuits | null | undefined): Breaker[] {
  if (circuits === null || circuits === undefined) return [];
  const own = NEIGHBOURS.map((name) => ({ name, state: circuits[name], since: null, until: null }));
  // Providers that are well are not told of.
  const providers = circuits.providers.map((one) => ({ ...one, state: "open" }));
  const all: Breaker[] = [...providers, ...own];
  return [...all.filter((one) => one.state !== "closed"), ...all.filter((one) => one.state === "closed")];
}
