// Requests, and how often they are tried, in one place.

import { notOurs, valueOf } from "./answers.ts";
import { Unreachable, VoicefleetError } from "./errors.ts";
import { Deadline, Pauses, sleep } from "./pauses.ts";

/** A user's token, or what returns one, for tokens that do not live long. */
export type TokenSource = string | (() => string | Promise<string>);

export interface Call {
  method: "GET" | "POST";
  path: string;
  body?: unknown;
  /** The secret of a session; left out, the user's token is the proof, if there is one. */
  proof?: string | null;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 500;
const MOST_PAUSE_MS = 2_000;

/** Sends requests to one server; turns refusals into errors. */
export class Transport {
  private readonly baseUrl: string;
  private readonly token: TokenSource | undefined;
  private readonly timeoutMs: number;

  constructor(baseUrl: string, token: TokenSource | undefined, timeoutMs: number) {
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.token = token;
    this.timeoutMs = timeoutMs;
  }

  /** Whether there is a proof besides the secrets of sessions. */
  get hasToken(): boolean {
    return this.token !== undefined;
  }

  /**
   * Returns an answer that has these fields, `moreMs` after the usual deadline at most. Who does not
   * answer, or only a gateway, is asked again: all our calls may be repeated.
   */
  async call<T extends object>(
    call: Call,
    fields: readonly (keyof T & string)[],
    { moreMs = 0, isAnyStatus = false } = {},
  ): Promise<T> {
    const allowedMs = this.timeoutMs + moreMs;
    const deadline = new Deadline(allowedMs, call.signal);
    const endsAt = performance.now() + allowedMs;
    const pauses = new Pauses(FIRST_PAUSE_MS, MOST_PAUSE_MS);
    let refusal: VoicefleetError | undefined;
    try {
      for (let left = ATTEMPTS - 1; ; left -= 1) {
        try {
          const response = await this.send(call, deadline.signal);
          return await valueOf(response, fields, isAnyStatus);
        } catch (error) {
          call.signal?.throwIfAborted();
          // Where time ran out over asking again, what was answered before says more.
          if (deadline.signal.aborted) throw refusal ?? tooLate(allowedMs, error);
          if (!(error instanceof VoicefleetError) || !error.isBrief || left === 0) throw error;
          const pauseMs = pauses.nextMs(error.retryAfterSeconds);
          // The caller can wait better than we.
          if (performance.now() + pauseMs >= endsAt) throw error;
          refusal = error;
          await sleep(pauseMs, call.signal);
        }
      }
    } finally {
      deadline.end();
    }
  }

  /**
   * Opens a stream of events, which ends when `signal` is aborted; null when there is nothing more
   * to come.
   */
  async stream(call: Call, signal: AbortSignal): Promise<ReadableStream<Uint8Array> | null> {
    const opening = new Deadline(this.timeoutMs, signal);
    const streaming = new AbortController();
    const abort = (): void => streaming.abort();
    opening.signal.addEventListener("abort", abort);
    signal.addEventListener("abort", abort);
    try {
      const response = await this.send(call, streaming.signal);
      if (response.status === 204) return null;
      if (!response.ok) await valueOf(response, []);
      const kind = response.headers.get("Content-Type") ?? "";
      if (response.body === null || !kind.startsWith("text/event-stream")) {
        abort();
        throw notOurs(response.status);
      }
      return response.body;
    } finally {
      opening.end();
    }
  }

  /**
   * Sends something that the page does not live to see answered. With `keepalive` the browser sends
   * it after the page is gone, to another origin too, whose preflight it waits for.
   */
  sendLast(call: Call): void {
    const send = (token: string | undefined): void => {
      fetch(this.baseUrl + call.path, { ...requestOf(call, token), keepalive: true }).catch(() => undefined);
    };
    const proof = call.proof ?? (typeof this.token === "function" ? this.token() : this.token);
    // At once if possible: later, the page may be gone.
    if (typeof proof === "object") proof.then(send, () => undefined);
    else send(proof);
  }

  private async send(call: Call, signal: AbortSignal): Promise<Response> {
    const proof = call.proof ?? (await this.tokenNow(signal));
    try {
      return await fetch(this.baseUrl + call.path, { ...requestOf(call, proof), signal });
    } catch (error) {
      throw new Unreachable("Voicefleet does not answer", { cause: error });
    }
  }

  private async tokenNow(signal: AbortSignal): Promise<string | undefined> {
    if (typeof this.token !== "function") return this.token;
    const late = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new Unreachable("the user's token does not come")));
    });
    try {
      return await Promise.race([this.token(), late]);
    } catch (error) {
      if (error instanceof VoicefleetError) throw error;
      throw new Unreachable("the user's token could not be fetched", { cause: error });
    }
  }
}

function requestOf(call: Call, proof: string | undefined): RequestInit {
  return {
    method: call.method,
    cache: "no-store",
    // None of ours; where a gateway sends us, a proof has no business.
    redirect: "error",
    headers: {
      ...(call.body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(proof === undefined ? {} : { Authorization: `Bearer ${proof}` }),
      ...call.headers,
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  };
}

function tooLate(allowedMs: number, cause: unknown): Unreachable {
  return new Unreachable(`Voicefleet did not answer within ${allowedMs / 1000} s`, { cause });
}
