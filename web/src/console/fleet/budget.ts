// What is left of the errors that are allowed, and whether it goes too fast.

import type { ErrorBudget } from "../types.ts";

/** So much is a reason to look: what is left may be gone with the next bad hour. */
const LOW = 0.25;

export interface BudgetLook {
  /** From 0 to 1; what is overdrawn is gone, too. */
  left: number;
  /** How many times too fast the last hour used it up, in words; null while it does not. */
  burns: string | null;
  isLow: boolean;
}

export function budgetLook({ remaining, burnRate }: ErrorBudget): BudgetLook {
  const left = Math.min(1, Math.max(0, remaining));
  const isBurning = burnRate !== null && burnRate > 1;
  return { left, burns: isBurning ? times(burnRate) : null, isLow: isBurning || left <= LOW };
}

function times(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
}
