// How long starts took: so many up to 250 ms, so many up to 500 ms, and so on.

import type { LatencyCounts } from "../types.ts";

export interface Bin {
  /** Longer than this, in ms; null for the first bin. */
  aboveMs: number | null;
  /** And not longer than this; null for the last bin. */
  upToMs: number | null;
  count: number;
  /** Its part of all starts, from 0 to 1. */
  share: number;
}

/** Returns the bins; none where counts and edges do not belong together. */
export function binsOf({ edgesMs, counts }: LatencyCounts): Bin[] {
  if (counts.length !== edgesMs.length + 1) return [];
  const total = totalOf(counts);
  return counts.map((count, place) => ({
    aboveMs: edgesMs[place - 1] ?? null,
    upToMs: edgesMs[place] ?? null,
    count,
    share: total === 0 ? 0 : count / total,
  }));
}

/** Returns the first edge that so large a share of starts did not exceed; null when there is none. */
export function edgeWithin(bins: Bin[], share: number): { edgeMs: number; share: number } | null {
  let reached = 0;
  for (const bin of bins) {
    reached += bin.share;
    // Shares are added up, and may miss a whole by a hair.
    if (bin.upToMs !== null && reached >= share - 1e-9) return { edgeMs: bin.upToMs, share: Math.min(1, reached) };
  }
  return null;
}

/** Returns the bin that most starts are in; null when there were none. */
export function fullestOf(bins: Bin[]): Bin | null {
  return bins.reduce<Bin | null>((best, bin) => (bin.count > (best?.count ?? 0) ? bin : best), null);
}

export function totalOf(counts: number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
