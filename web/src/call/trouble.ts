// What went wrong, as kinds that the page has words and a next step for.

import { ConnectionError } from "livekit-client";

import { ApiError, SessionOver, type SessionView, Unreachable } from "../api/index.ts";

export type TroubleKind =
  | "microphone-denied"
  | "microphone-missing"
  | "microphone-busy"
  | "microphone-insecure"
  | "microphone-failed"
  | "rate-limited"
  | "at-capacity"
  | "unauthorized"
  | "unreachable"
  | "media-unreachable"
  | "connection-lost"
  | "taken-over"
  | "session-failed"
  | "session-lost"
  | "place-lost"
  | "refused"
  | "broken";

export interface Trouble {
  kind: TroubleKind;
  /** What the server said, for people; null where our own words say all. */
  detail: string | null;
  /** When trying again may help, in ms since 1970; null where nobody said. */
  retryAt: number | null;
  /** Names the request in the server's log. */
  requestId: string | null;
}

/** Returns trouble of a kind of our own. */
export function trouble(kind: TroubleKind, detail: string | null = null): Trouble {
  return { kind, detail, retryAt: null, requestId: null };
}

const KINDS: Readonly<Record<string, TroubleKind>> = {
  rate_limited: "rate-limited",
  at_capacity: "at-capacity",
  queue_full: "at-capacity",
  unauthorized: "unauthorized",
};

/** Returns what an error of the API, or of the way into the room, means for the user. */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof ApiError) {
    return {
      kind: error.isBrief ? "unreachable" : (KINDS[error.code] ?? "refused"),
      detail: error.message,
      retryAt: error.retryAfterSeconds === null ? null : Date.now() + error.retryAfterSeconds * 1000,
      requestId: error.requestId,
    };
  }
  if (error instanceof SessionOver) return trouble("session-failed", error.message);
  // What these say is for developers.
  if (error instanceof Unreachable) return trouble("unreachable");
  if (error instanceof ConnectionError) return trouble("media-unreachable");
  // A fault of this page, or a browser that cannot do what calls need.
  reportError(error);
  return trouble("broken");
}

/** Returns why a session is over that has not simply ended; null where it has. */
export function troubleOfEnd({ status, message }: SessionView, hadAgent: boolean): Trouble | null {
  if (status === "expired") return trouble("place-lost");
  if (status === "failed") return trouble(hadAgent ? "session-lost" : "session-failed", message);
  return null;
}
