// How long to wait before the same thing is asked again, and when to give up.

import { Unreachable, VoicefleetError } from "./errors.ts";

/** Who is asked to stay away for longer is told so instead. */
const LONGEST_MS = 60_000;

/** Pauses that double, up to a limit; different for everybody, so that not all come at once. */
export class Pauses {
  private readonly firstMs: number;
  private readonly mostMs: number;
  private ceilingMs: number;

  constructor(firstMs = 1_000, mostMs = 10_000) {
    this.firstMs = firstMs;
    this.mostMs = mostMs;
    this.ceilingMs = firstMs;
  }

  /** Returns the next pause; it is never shorter than what a server asks for. */
  nextMs(atLeastSeconds: number | null = null): number {
    const halfMs = this.ceilingMs / 2;
    this.ceilingMs = Math.min(2 * this.ceilingMs, this.mostMs);
    return Math.max(halfMs, (atLeastSeconds ?? 0) * 1000) + halfMs * Math.random();
  }

  /** Begins with short ones again. */
  reset(): void {
    this.ceilingMs = this.firstMs;
  }
}

/** Bears with a server for a while after it was heard last. */
export class Patience {
  readonly pauses = new Pauses();
  private readonly patienceMs: number;
  private readonly silenceMs: number;
  private heardAt = performance.now();

  constructor(patienceMs: number, silenceMs: number) {
    this.patienceMs = patienceMs;
    this.silenceMs = silenceMs;
  }

  /** Notes a sign of life; throws Unreachable when there have been but empty ones for long. */
  hear(isUnderstood: boolean): void {
    const now = performance.now();
    if (isUnderstood) this.heardAt = now;
    else if (now >= this.heardAt + Math.max(this.patienceMs, this.silenceMs)) {
      throw new Unreachable("something answers, but says nothing of use");
    }
  }

  /** Returns how long to wait after an error; throws it when that is of no use. */
  pauseAfterMs(error: unknown): number {
    if (!(error instanceof VoicefleetError) || !error.isPassing) throw error;
    const isTooLong = (error.retryAfterSeconds ?? 0) * 1000 > LONGEST_MS;
    if (isTooLong || performance.now() >= this.heardAt + this.patienceMs) throw error;
    return this.pauses.nextMs(error.retryAfterSeconds);
  }
}

/** Waits; rejects with the signal's reason once that is aborted. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const deadline = new Deadline(ms, signal);
  await deadline.passed;
  signal?.throwIfAborted();
}

/** A signal that is aborted after a time, or with another one. It has to be ended. */
export class Deadline {
  readonly signal: AbortSignal;
  readonly passed: Promise<void>;
  private readonly ms: number;
  private readonly controller = new AbortController();
  private readonly outer: AbortSignal | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly abort = (): void => {
    this.end();
    this.controller.abort(this.outer?.aborted === true ? this.outer.reason : undefined);
  };

  constructor(ms: number, outer?: AbortSignal) {
    this.ms = ms;
    this.outer = outer;
    this.signal = this.controller.signal;
    this.passed = new Promise((resolve) => this.signal.addEventListener("abort", () => resolve()));
    this.restart();
  }

  /** Counts from now on. */
  restart(): void {
    this.end();
    if (this.signal.aborted) return;
    if (this.outer?.aborted === true) return this.abort();
    this.outer?.addEventListener("abort", this.abort);
    this.timer = setTimeout(this.abort, this.ms);
  }

  /** Counts no more. */
  end(): void {
    clearTimeout(this.timer);
    this.outer?.removeEventListener("abort", this.abort);
  }
}
