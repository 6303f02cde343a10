import { ConnectionError } from "livekit-client";
import { describe, expect, test, vi } from "vitest";

import { ApiError, SessionOver, type SessionView, Unreachable } from "../../../src/api/index.ts";
import { troubleOf, troubleOfEnd } from "../../../src/call/trouble.ts";
import { strings } from "../../../src/strings.ts";

function refusal(status: number, code: string, retryAfterSeconds: number | null = null): ApiError {
  return new ApiError("Please wait.", { status, code, retryAfterSeconds, requestId: "r1" });
}

describe("what an error means for the user", () => {
  test.each([
    [refusal(429, "rate_limited"), "rate-limited"],
    [refusal(429, "at_capacity"), "at-capacity"],
    [refusal(429, "queue_full"), "at-capacity"],
    [refusal(401, "unauthorized"), "unauthorized"],
    [refusal(503, "redis_unavailable"), "unreachable"],
    [refusal(400, "unknown_persona"), "refused"],
    [new Unreachable("nobody answers"), "unreachable"],
    [new SessionOver("no agent came"), "session-failed"],
    [ConnectionError.timeout("too late"), "media-unreachable"],
  ])("%s", (error, kind) => {
    expect(troubleOf(error).kind).toBe(kind);
  });

  test("when to try again is told as a point in time, and who asked can be found in the log", () => {
    vi.useFakeTimers({ now: 1_000_000 });
    expect(troubleOf(refusal(429, "rate_limited", 7))).toMatchObject({ retryAt: 1_007_000, requestId: "r1" });
    expect(troubleOf(refusal(429, "rate_limited")).retryAt).toBeNull();
    vi.useRealTimers();
  });

  test("a fault of our own is told as one, and leaves nobody waiting", () => {
    const reported = vi.fn();
    vi.stubGlobal("reportError", reported);
    const fault = new TypeError("undefined is not a function");
    expect(troubleOf(fault)).toMatchObject({ kind: "broken", detail: null });
    expect(reported).toHaveBeenCalledWith(fault);
    vi.unstubAllGlobals();
  });

  test("what an error says for developers is nothing for users", () => {
    for (const error of [new Unreachable("answered with 502"), ConnectionError.timeout("no pong")]) {
      expect(troubleOf(error).detail).toBeNull();
    }
  });

  test("an end is trouble where the session failed, or the place in line was lost", () => {
    const over = (status: SessionView["status"], hadAgent: boolean) =>
      troubleOfEnd({ status, message: "why" } as SessionView, hadAgent)?.kind ?? null;
    expect([over("ended", true), over("ended", false)]).toEqual([null, null]);
    expect([over("failed", true), over("failed", false)]).toEqual(["session-lost", "session-failed"]);
    expect(over("expired", false)).toBe("place-lost");
  });

  test("there are a title and a next step for everything", () => {
    for (const { title, next } of Object.values(strings.troubles)) {
      expect(title).not.toBe("");
      expect(next).toMatch(/\.$/);
    }
  });
});
