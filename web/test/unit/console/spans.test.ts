import { describe, expect, it } from "vitest";

import { comingOf, meetingOf } from "../../../src/console/session/spans.ts";

const AT = 1_764_000_000_000;

describe("how an agent came", () => {
  it("is a chain of steps, each from where the one before ended", () => {
    const stage = comingOf({
      dispatched: AT,
      received: AT + 20,
      accepted: AT + 25,
      assigned: AT + 60,
      launched: AT + 61,
      entered: AT + 80,
      claimed: AT + 110,
      joined: AT + 300,
      published: AT + 420,
    });
    expect(stage).toMatchObject({ first: "dispatched", firstAt: AT, last: "published", totalMs: 420 });
    expect(stage?.steps.map((step) => step.lengthMs)).toEqual([20, 5, 35, 1, 19, 30, 190, 120]);
    expect(stage?.steps.map((step) => step.startMs)).toEqual([0, 20, 25, 60, 61, 80, 110, 300]);
    expect(stage?.steps[0]).toMatchObject({ from: "dispatched", to: "received", aheadMs: 0 });
  });

  it("leaves out moments that are missing", () => {
    const stage = comingOf({ dispatched: AT, received: null, claimed: AT + 50, published: AT + 90 });
    expect(stage?.steps.map(({ from, to, lengthMs }) => [from, to, lengthMs])).toEqual([
      ["dispatched", "claimed", 50],
      ["claimed", "published", 40],
    ]);
  });

  it("says up to where it came", () => {
    expect(comingOf({ dispatched: AT, received: AT + 5 })).toMatchObject({ last: "received", totalMs: 5 });
    expect(comingOf({ dispatched: AT })).toMatchObject({ last: "dispatched", steps: [], totalMs: 0 });
  });

  it("is not there when nothing is known of it", () => {
    expect(comingOf({})).toBeNull();
    expect(comingOf({ dispatched: null, userJoined: AT })).toBeNull();
  });

  it("never goes backwards where clocks differ, and says by how much they do", () => {
    const stage = comingOf({ dispatched: AT, received: AT - 30, accepted: AT - 10, assigned: AT + 40 });
    expect(stage?.steps.map(({ startMs, lengthMs, aheadMs }) => [startMs, lengthMs, aheadMs])).toEqual([
      [0, 0, 30],
      [0, 0, 10],
      [0, 40, 0],
    ]);
    expect(stage?.totalMs).toBe(40);
  });
});

describe("how agent and user met", () => {
  it("is measured from what came last before", () => {
    const stage = meetingOf({ published: AT, userJoined: AT + 400, greeted: AT + 500, userSpoke: AT + 3_000 });
    expect(stage?.steps.map(({ from, to, startMs, lengthMs }) => [from, to, startMs, lengthMs])).toEqual([
      ["published", "userJoined", 0, 400],
      ["userJoined", "greeted", 400, 100],
      ["greeted", "userSpoke", 500, 2_500],
    ]);
    expect(stage).toMatchObject({ first: "published", last: "userSpoke", totalMs: 3_000 });
  });

  it("tells of a user who was there before the agent", () => {
    const stage = meetingOf({ published: AT, userJoined: AT - 700, greeted: AT + 90 });
    expect(stage?.steps).toEqual([
      { from: "published", to: "userJoined", startMs: 0, lengthMs: 0, aheadMs: 700 },
      { from: "published", to: "greeted", startMs: 0, lengthMs: 90, aheadMs: 0 },
    ]);
    expect(stage?.totalMs).toBe(90);
  });

  it("tells of a user who spoke before the greeting", () => {
    const stage = meetingOf({ published: AT, userJoined: AT + 10, greeted: AT + 900, userSpoke: AT + 600 });
    expect(stage?.steps.at(-1)).toMatchObject({ from: "userJoined", to: "userSpoke", startMs: 10, lengthMs: 590 });
    expect(stage).toMatchObject({ last: "greeted", totalMs: 900 });
  });

  it("does without the agent's voice", () => {
    const stage = meetingOf({ userJoined: AT, userSpoke: AT + 200 });
    expect(stage).toMatchObject({ first: "userJoined", totalMs: 200 });
  });

  it("is not there before anything of it has happened", () => {
    expect(meetingOf({ published: AT })).toBeNull();
    expect(meetingOf({})).toBeNull();
  });
});
