// Asks for the same thing again and again: never twice at once, ever slower while that fails, and not
// at all while nobody looks.

import { VoicefleetError } from "../../api/errors.ts";
import { Observable } from "../../call/observable.ts";

export type Ask<T> = (signal: AbortSignal) => Promise<T>;

/** The last answer, and how the asking goes. Times in ms since 1970. */
export interface Polled<T> {
  value: T | null;
  /** Whether the value answers the present question, and not the one before. */
  isCurrent: boolean;
  /** When the value came. */
  at: number | null;
  /** What went wrong the last time; null when it went well. */
  error: Error | null;
  /** When it first went wrong without going well since. */
  failingSince: number | null;
  /** When it is asked next; null while it is being asked, or when it is not asked again. */
  nextAt: number | null;
}

export interface Rhythm<T> {
  everyMs: number;
  /** Whether nothing can change after such an answer. */
  isLast?: (value: T) => boolean;
}

/** What a poller needs of the world. */
export interface Surroundings {
  now: () => number;
  /** Calls once after a time, unless the function that is returned is called before. */
  after: (ms: number, call: () => void) => () => void;
  isVisible: () => boolean;
  /** Tells when the page is shown or hidden, until the function that is returned is called. */
  watch: (tell: () => void) => () => void;
}

const LONGEST_MS = 30_000;

export const browser: Surroundings = {
  now: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  isVisible: () => document.visibilityState === "visible",
  watch: (tell) => {
    document.addEventListener("visibilitychange", tell);
    return () => document.removeEventListener("visibilitychange", tell);
  },
};

export class Poller<T> extends Observable<Polled<T>> {
  private readonly around: Surroundings;
  private question: { ask: Ask<T>; rhythm: Rhythm<T> } | null = null;
  private request: AbortController | null = null;
  private cancelTimer: (() => void) | null = null;
  private unwatch: (() => void) | null = null;
  private failures = 0;
  /** Whether it is to be asked as soon as that is possible. */
  private isDue = false;

  constructor(around: Surroundings = browser) {
    super({ value: null, isCurrent: false, at: null, error: null, failingSince: null, nextAt: null });
    this.around = around;
  }

  /** Asks now and then on; the last answer to another question stays until there is a new one. */
  start(ask: Ask<T>, rhythm: Rhythm<T>): void {
    this.stop();
    this.question = { ask, rhythm };
    this.failures = 0;
    this.change({ isCurrent: false, error: null, failingSince: null });
    this.unwatch = this.around.watch(() => {
      if (this.isDue) this.look();
    });
    this.look();
  }

  /** Asks no more, and takes no answer any more. */
  stop(): void {
    this.question = null;
    this.request?.abort();
    this.request = null;
    this.cancelTimer?.();
    this.unwatch?.();
    this.isDue = false;
    this.change({ nextAt: null });
  }

  /** Asks as soon as possible, such as after something was changed. */
  readonly refresh = (): void => {
    if (this.question !== null) this.look();
  };

  private look(): void {
    this.cancelTimer?.();
    this.isDue = this.request !== null || !this.around.isVisible();
    if (this.isDue || this.question === null) return;
    const request = new AbortController();
    this.request = request;
    this.change({ nextAt: null });
    this.question.ask(request.signal).then(
      (value) => this.settle(request, value, null),
      (error: unknown) => this.settle(request, null, asError(error)),
    );
  }

  private settle(request: AbortController, value: T | null, error: Error | null): void {
    // Stopped meanwhile, or asked something else.
    if (this.request !== request || this.question === null) return;
    this.request = null;
    const now = this.around.now();
    if (error === null) {
      this.failures = 0;
      this.change({ value, isCurrent: true, at: now, error: null, failingSince: null });
    } else {
      this.failures += 1;
      this.change({ error, failingSince: this.snapshot().failingSince ?? now });
    }
    if (this.isDue) this.look();
    else this.schedule(now, this.question.rhythm);
  }

  private schedule(now: number, { everyMs, isLast }: Rhythm<T>): void {
    const { value, error } = this.snapshot();
    if (error === null && value !== null && isLast?.(value) === true) return;
    const pauseMs = pauseAfter(everyMs, this.failures, error);
    this.change({ nextAt: now + pauseMs });
    this.cancelTimer = this.around.after(pauseMs, () => this.look());
  }
}

/** Doubles with each failure, up to a limit; never shorter than what a server asks for. */
function pauseAfter(everyMs: number, failures: number, error: Error | null): number {
  const pauseMs = Math.min(everyMs * 2 ** failures, Math.max(everyMs, LONGEST_MS));
  const askedSeconds = error instanceof VoicefleetError ? (error.retryAfterSeconds ?? 0) : 0;
  return Math.max(pauseMs, askedSeconds * 1000);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
