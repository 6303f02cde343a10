// One session: follow it, come back to it, stop it.

import { ApiError, SessionOver, Unreachable } from "./errors.ts";
import { viewsOf } from "./events.ts";
import { Deadline, Patience, Pauses, sleep } from "./pauses.ts";
import type { Call, Transport } from "./transport.ts";
import {
  type AgentRecord,
  isOver,
  type LogLine,
  type QueuePlace,
  type SessionView,
  type Started,
  type Token,
  tellsSame,
  tokenOf,
  type Turn,
} from "./types.ts";

export interface Cancellable {
  /** Once aborted, the call rejects with the reason of the signal. */
  signal?: AbortSignal | undefined;
}

export interface ViewOptions extends Cancellable {
  /** Wait for a change, so long at most. */
  waitSeconds?: number;
  /** The revision that is known: with another one there is no wait. */
  since?: number;
}

export interface FollowOptions extends Cancellable {
  /** How long to bear with a server that does not answer; a minute if left out. */
  patienceSeconds?: number;
}

/** The server says something every 15 s. */
const SILENCE_MS = 45_000;
/** A server that restarts is back by then, and so is a network that changes. */
const PATIENCE_SECONDS = 60;
/** The longest wait that the server takes in one request. */
const LONGEST_WAIT_MS = 30_000;

const VIEW = ["sessionId", "status", "message", "revision"] as const;

export class Session {
  readonly id: string;
  /** Proves ownership; keep it to yourself. Null where the user's token has to do. */
  readonly secret: string | null;
  /** What start said; `view` and `follow` say it as it is now. */
  readonly token: Token | null;
  readonly queue: QueuePlace | null;
  private readonly transport: Transport;
  /** Whether the secret was replaced: the same user has resumed the session somewhere else. */
  private isReplaced = false;

  constructor(transport: Transport, id: string, secret: string | null, started?: Started) {
    this.transport = transport;
    this.id = id;
    this.secret = secret;
    this.token = started === undefined ? null : tokenOf(started);
    this.queue = started?.queue ?? null;
  }

  /**
   * Returns the session; with `waitSeconds`, once it has changed, or after that time. A server that
   * is about to stop answers at once; then it is asked again.
   */
  async view(options: ViewOptions = {}): Promise<SessionView> {
    const { waitSeconds = 0, signal } = options;
    const endsAt = performance.now() + waitSeconds * 1000;
    const since = options.since ?? (waitSeconds > 0 ? (await this.look(0, undefined, signal)).revision : undefined);
    const pauses = new Pauses();
    for (;;) {
      const began = performance.now();
      const askedMs = Math.min(Math.max(endsAt - began, 0), LONGEST_WAIT_MS);
      const view = await this.look(askedMs, since, signal);
      const now = performance.now();
      if (view.revision !== since || isOver(view) || now >= endsAt) return view;
      if (now - began < askedMs / 2) await sleep(Math.min(pauses.nextMs(), endsAt - now), signal);
    }
  }

  /**
   * Yields the session whenever it changes, until it is over; keeps a place in line.
   * Broken connections are made again, and so are calls that were refused for a while; after
   * `patienceSeconds` without an answer it throws what went wrong last.
   */
  async *follow(options: FollowOptions = {}): AsyncGenerator<SessionView, void, void> {
    const { signal, patienceSeconds = PATIENCE_SECONDS } = options;
    const patience = new Patience(patienceSeconds * 1000, SILENCE_MS);
    let last: SessionView | null = null;
    for (;;) {
      let failed: unknown = new Unreachable("Voicefleet ends its answers before they begin");
      const silence = new Deadline(SILENCE_MS, signal);
      try {
        const body = await this.events(last, silence.signal);
        if (body === null) return;
        for await (const view of viewsOf(body)) {
          if (view !== null && !tellsSame(view, last)) {
            silence.end();
            yield view;
            last = view;
            if (isOver(view)) return;
            patience.pauses.reset();
          }
          silence.restart();
          // A stream that has told of no session yet is not heard at all.
          patience.hear(last !== null);
        }
      } catch (error) {
        failed = error;
      } finally {
        silence.end();
      }
      signal?.throwIfAborted();
      await sleep(patience.pauseAfterMs(failed), signal);
    }
  }

  /**
   * Waits in line until there is a slot, and returns the token to join with. Throws SessionOver when
   * the session ended before.
   */
  async admitted(options: FollowOptions = {}): Promise<Token> {
    if (this.token !== null) return this.token;
    for await (const view of this.follow(options)) {
      const token = tokenOf(view);
      if (token !== null) return token;
      if (isOver(view)) throw new SessionOver(view.message, view);
    }
    throw new SessionOver("the session ended while it waited");
  }

  /** Returns a token to come back with: same room, same identity. */
  async freshToken({ signal }: Cancellable = {}): Promise<Token> {
    const call = { ...this.named("/api/token"), signal };
    const answer = await this.call<Token>(call, ["serverUrl", "participantToken"]);
    return { serverUrl: answer.serverUrl, participantToken: answer.participantToken };
  }

  /** Ends the session. Twice is fine. */
  async stop({ signal }: Cancellable = {}): Promise<SessionView> {
    return this.call<SessionView>({ ...this.named("/api/session/stop"), signal }, VIEW);
  }

  /**
   * Ends the session while its page closes, from the page's `pagehide`; nobody waits for the answer.
   * One that the user has resumed in another tab meanwhile goes on there.
   */
  leave(): void {
    if (!this.isReplaced) this.transport.sendLast({ ...this.named("/api/session/stop"), proof: this.secret });
  }

  /** Returns the last lines of the session's log, the oldest first. */
  async logs({ last = 200, signal }: Cancellable & { last?: number } = {}): Promise<LogLine[]> {
    const path = `${this.path}/logs?last=${last}`;
    return (await this.call<{ logs: LogLine[] }>({ method: "GET", path, signal }, ["logs"])).logs;
  }

  /** Returns what was said, the oldest first. */
  async transcript({ signal }: Cancellable = {}): Promise<Turn[]> {
    const path = `${this.path}/transcript`;
    return (await this.call<{ turns: Turn[] }>({ method: "GET", path, signal }, ["turns"])).turns;
  }

  /** Returns how the session went, for each of its agents, in the order they were sent. */
  async record({ signal }: Cancellable = {}): Promise<AgentRecord[]> {
    const path = `${this.path}/record`;
    return (await this.call<{ agents: AgentRecord[] }>({ method: "GET", path, signal }, ["agents"])).agents;
  }

  private get path(): string {
    return `/api/session/${encodeURIComponent(this.id)}`;
  }

  private named(path: string): Call {
    return { method: "POST", path, body: { sessionId: this.id } };
  }

  private async look(waitMs: number, since?: number, signal?: AbortSignal): Promise<SessionView> {
    const query = new URLSearchParams({ wait: (waitMs / 1000).toFixed(3) });
    if (since !== undefined) query.set("since", String(since));
    return this.call({ method: "GET", path: `${this.path}?${query}`, signal }, VIEW, waitMs);
  }

  private async call<T extends object>(call: Call, fields: readonly (keyof T & string)[], moreMs = 0): Promise<T> {
    return this.proved((proof) => this.transport.call<T>({ ...call, proof }, fields, { moreMs }));
  }

  private async events(last: SessionView | null, signal: AbortSignal): Promise<ReadableStream<Uint8Array> | null> {
    const headers: Record<string, string> = last === null ? {} : { "Last-Event-ID": String(last.revision) };
    const call: Call = { method: "GET", path: `${this.path}/events`, headers };
    return this.proved((proof) => this.transport.stream({ ...call, proof }, signal));
  }

  /** Asks with the secret; once that opens nothing any more, with the user's token, if there is one. */
  private async proved<T>(ask: (proof: string | null) => Promise<T>): Promise<T> {
    const proof = this.isReplaced ? null : this.secret;
    try {
      return await ask(proof);
    } catch (error) {
      const isUnknown = error instanceof ApiError && error.code === "session_not_found";
      if (proof === null || !isUnknown || !this.transport.hasToken) throw error;
    }
    // For good: a secret that was replaced does not come back.
    this.isReplaced = true;
    return ask(null);
  }
}
