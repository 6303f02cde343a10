// What can go wrong: the server says no (ApiError), nothing of use (Unreachable), or there is nothing
// more to wait for (SessionOver). What is aborted rejects with the reason of its signal instead.

import type { SessionView } from "./types.ts";

/** Base of everything that the client throws on purpose. */
export class VoicefleetError extends Error {
  override readonly name: string = "VoicefleetError";
  /** Seconds after which trying again may help, if the server said so. */
  readonly retryAfterSeconds: number | null = null;
  /** Names the request in the server's log. */
  readonly requestId: string | null = null;
  /** Whether the same call may be answered later. */
  readonly isPassing: boolean = false;
  /** Whether it may be answered so soon that it is worth a second try at once. */
  readonly isBrief: boolean = false;
}

/** What gateways say while the server behind them is away, and the server while Redis is. */
const AWAY: ReadonlySet<number | null> = new Set([502, 503, 504]);

/** The server refuses; the message is for people. */
export class ApiError extends VoicefleetError {
  override readonly name = "ApiError";
  readonly status: number;
  /** For programs: at_capacity, rate_limited, unauthorized, session_not_found, … */
  readonly code: string;
  override readonly retryAfterSeconds: number | null;
  override readonly requestId: string | null;
  override readonly isPassing: boolean;
  override readonly isBrief: boolean;

  constructor(
    message: string,
    said: { status: number; code: string; retryAfterSeconds?: number | null; requestId?: string | null },
  ) {
    super(message);
    this.status = said.status;
    this.code = said.code;
    this.retryAfterSeconds = said.retryAfterSeconds ?? null;
    this.requestId = said.requestId ?? null;
    this.isPassing = said.status === 429 || said.status >= 500;
    this.isBrief = AWAY.has(said.status);
  }
}

/** Nobody answers, or something that is not Voicefleet; then there is a `status`. */
export class Unreachable extends VoicefleetError {
  override readonly name = "Unreachable";
  readonly status: number | null;
  override readonly retryAfterSeconds: number | null;
  override readonly isPassing = true;
  override readonly isBrief: boolean;

  constructor(message: string, said: { status?: number; retryAfterSeconds?: number | null; cause?: unknown } = {}) {
    super(message, { cause: said.cause });
    this.status = said.status ?? null;
    this.retryAfterSeconds = said.retryAfterSeconds ?? null;
    this.isBrief = said.status === undefined || AWAY.has(said.status);
  }
}

/** A session ended that was waited for; the message is for people. */
export class SessionOver extends VoicefleetError {
  override readonly name = "SessionOver";
  readonly view: SessionView | null;

  constructor(message: string, view: SessionView | null = null) {
    super(message);
    this.view = view;
  }
}
