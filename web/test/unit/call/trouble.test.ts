import { ConnectionError } from "livekit-client";
import { describe, expect, test, vi } from "vitest";

import { ApiError, SessionOver, Unreachable } from "../../../src/api/index.ts";
import { troubleOf } from "../../../src/call/trouble.ts";
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

  test("a fault of our own is not dressed up as trouble of the user's", () => {
    expect(() => troubleOf(new TypeError("undefined is not a function"))).toThrow(TypeError);
  });

  test("there are a title and a next step for everything", () => {
    for (const { title, next } of Object.values(strings.troubles)) {
      expect(title).not.toBe("");
      expect(next).toMatch(/\.$/);
    }
  });
});
