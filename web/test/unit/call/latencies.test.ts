import { describe, expect, test } from "vitest";

import type { AgentRecord, TurnTimes } from "../../../src/api/index.ts";
import { answersOf, marksSince, median, secondsLeft } from "../../../src/call/latencies.ts";
import { NO_MARKS } from "../../../src/call/state.ts";
import { duration, latency } from "../../../src/strings.ts";

function agent(...answers: (number | null)[]): AgentRecord {
  return { turns: answers.map((answerMs) => ({ answerMs }) as TurnTimes) } as AgentRecord;
}

describe("how long what took", () => {
  test("counts from the click, and leaves out what has not happened", () => {
    const took = marksSince({ ...NO_MARKS, asked: 1000, answered: 1010, connected: 1400 });
    expect(took).toEqual({ answered: 10, connected: 400, agentCame: null, agentSpoke: null });
    expect(marksSince({ ...NO_MARKS, answered: 1010 }).answered).toBeNull();
  });

  test("a wait is counted down between two answers, never below nothing", () => {
    const queue = { position: 2, etaSeconds: 30, toldAt: 1_000 };
    expect([1_000, 11_000, 99_000].map((now) => secondsLeft(queue, now))).toEqual([30, 20, 0]);
    expect(secondsLeft({ ...queue, etaSeconds: null }, 11_000)).toBeNull();
  });

  test("the answers of all agents count, those that were none do not", () => {
    expect(answersOf([agent(300, null), agent(100)])).toEqual([300, 100]);
  });

  test("the median is in the middle", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(() => median([])).toThrow(RangeError);
  });

  test.each([
    [0.4, "0 s"],
    [89, "89 s"],
    [90, "2 min"],
    [3600, "1 h"],
    [3900, "1 h 5 min"],
  ])("%s seconds in words", (seconds, words) => {
    expect(duration(seconds)).toBe(words);
  });

  test("latencies have the unit that suits them", () => {
    expect([latency(340.4), latency(999.4), latency(1234)]).toEqual(["340 ms", "999 ms", "1.2 s"]);
  });
});
