import { describe, expect, it } from "vitest";

import { budgetLook } from "../../../src/console/fleet/budget.ts";
import type { ErrorBudget } from "../../../src/console/types.ts";

const BUDGET: ErrorBudget = { objective: 0.99, windowDays: 30, good: 995, bad: 5, remaining: 0.5, burnRate: 0.2 };

describe("the error budget", () => {
  it("is what is left of it", () => {
    expect(budgetLook(BUDGET)).toEqual({ left: 0.5, burns: null, isLow: false });
  });

  it("is gone when more failed than may", () => {
    expect(budgetLook({ ...BUDGET, remaining: -39 })).toEqual({ left: 0, burns: null, isLow: true });
  });

  it("is low before it is gone", () => {
    expect(budgetLook({ ...BUDGET, remaining: 0.25 }).isLow).toBe(true);
    expect(budgetLook({ ...BUDGET, remaining: 0.26 }).isLow).toBe(false);
  });

  it.each([
    [1, null],
    [1.01, "1.0"],
    [1.25, "1.3"],
    [9.94, "9.9"],
    [14.4, "14"],
    [100, "100"],
  ])("burns too fast at a rate of more than 1: %j", (burnRate, burns) => {
    expect(budgetLook({ ...BUDGET, burnRate })).toEqual({ left: 0.5, burns, isLow: burns !== null });
  });

  it("does not burn in an hour without any outcome", () => {
    expect(budgetLook({ ...BUDGET, burnRate: null }).burns).toBeNull();
  });
});
