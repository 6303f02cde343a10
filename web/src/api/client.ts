// The TypeScript client of the HTTP API. No dependencies; runs in browsers and in Node.js.
//
//     const fleet = new Voicefleet("https://voice.example.org");
//     const session = await fleet.start({ userId: "ada" });
//     for await (const view of session.follow()) show(view);

import { ApiError, Unreachable, valueOf } from "./errors.ts";
import { eventsOf, StreamBroken } from "./events.ts";
import { isOver, type LogLine, type QueuePlace, type SessionView, type Started, type Token, type Turn } from "./types.ts";

export interface StartOptions {
  userId?: string;
  /** Whether to wait in line when every slot is taken; true if left out. */
  queue?: boolean;
  /** Whether the conversation is remembered for the next one. */
  remember?: boolean;
  /** The same key starts one session, however often it is sent; made up if left out. */
  idempotencyKey?: string;
  signal?: AbortSignal;
}

interface RequestOptions {
  body?: unknown;
  proof?: string | undefined;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Above the server's own deadlines. */
const TIMEOUT_MS = 15_000;
/** The server says something every 15 s. */
const SILENCE_MS = 45_000;
const PAUSE_MS = 1_000;
const PATIENCE_MS = 60_000;

export class Voicefleet {
  private readonly baseUrl: string;
  private readonly token: string | (() => string | Promise<string>) | undefined;

  /** `token` is a user's token of your identity provider, or a function that returns one. */
  constructor(baseUrl = "", token?: string | (() => string | Promise<string>)) {
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.token = token;
  }

  /** Starts a session, or gets in line for one. */
  async start(options: StartOptions = {}): Promise<Session> {
    const { idempotencyKey, signal, ...body } = options;
    const response = await this.request("POST", "/api/session/start", {
      body,
      signal: signal === undefined ? undefined : AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: { "Idempotency-Key": idempotencyKey ?? crypto.randomUUID() },
    });
    return Session.of(this, await valueOf<Started>(response));
  }

  /** Returns the handle of a session that was started before. */
  session(id: string, secret: string): Session {
    return new Session(this, id, secret, null, null);
  }

  /** Sends a request; rejects with Unreachable when nobody answers. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const proof = options.proof ?? (typeof this.token === "function" ? await this.token() : this.token);
    try {
      return await fetch(this.baseUrl + path, {
        method,
        cache: "no-store",
        signal: options.signal ?? AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          ...(options.body === undefined ? {} : { "Content-Type": "application/json" }),
          ...(proof === undefined ? {} : { Authorization: `Bearer ${proof}` }),
          ...options.headers,
        },
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      });
    } catch (error) {
      throw new Unreachable("Voicefleet does not answer", { cause: error });
    }
  }
}

export class Session {
  readonly id: string;
  /** Proves ownership; keep it to yourself. */
  readonly secret: string;
  /** What start said; `view` and `follow` say it as it is now. */
  readonly token: Token | null;
  readonly queue: QueuePlace | null;
  private readonly fleet: Voicefleet;

  constructor(fleet: Voicefleet, id: string, secret: string, token: Token | null, queue: QueuePlace | null) {
    this.fleet = fleet;
    this.id = id;
    this.secret = secret;
    this.token = token;
    this.queue = queue;
  }

  static of(fleet: Voicefleet, started: Started): Session {
    return new Session(fleet, started.sessionId, started.sessionSecret, tokenOf(started), started.queue ?? null);
  }

  /** Returns the session; with `waitSeconds`, once it has changed, or after that time. */
  async view(options: { waitSeconds?: number; since?: number } = {}): Promise<SessionView> {
    const query = new URLSearchParams();
    if (options.waitSeconds !== undefined) query.set("wait", String(options.waitSeconds));
    if (options.since !== undefined) query.set("since", String(options.since));
    const signal = AbortSignal.timeout((options.waitSeconds ?? 0) * 1000 + TIMEOUT_MS);
    return valueOf(await this.get(query.size > 0 ? `?${query}` : "", { signal }));
  }

  /**
   * Yields the session whenever it changes, until it is over; keeps a place in line.
   * Broken connections are made again, and so are calls that were refused for a while; after
   * `patienceMs` without an answer it throws what went wrong last.
   */
  async *follow(signal?: AbortSignal, patienceMs = PATIENCE_MS): AsyncGenerator<SessionView> {
    let last = "";
    let heardAt = Date.now();
    while (!signal?.aborted) {
      const silence = new Silence(signal);
      let pauseMs = PAUSE_MS;
      try {
        const headers: Record<string, string> = last === "" ? {} : { "Last-Event-ID": last };
        const response = await this.get("/events", { headers, signal: silence.signal });
        if (response.status === 204) return;
        if (!response.ok || response.body === null) await valueOf(response);
        else {
          for await (const event of eventsOf(response.body)) {
            silence.heard();
            if (last !== "") heardAt = Date.now();
            if (event === null) continue;
            const view = JSON.parse(event.data) as SessionView;
            last = event.id;
            yield view;
            if (isOver(view)) return;
          }
        }
      } catch (error) {
        if (signal?.aborted || !isPassing(error) || Date.now() > heardAt + patienceMs) throw error;
        if (error instanceof ApiError) pauseMs = Math.max(pauseMs, (error.retryAfter ?? 0) * 1000);
      } finally {
        silence.end();
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Waits in line until there is a slot, and returns the token to join with. */
  async admitted(signal?: AbortSignal): Promise<Token> {
    if (this.token !== null) return this.token;
    for await (const view of this.follow(signal)) {
      const token = tokenOf(view);
      if (token !== null) return token;
      if (isOver(view)) throw new Error(view.message);
    }
    throw new Error("the session ended while it waited");
  }

  /** Returns a token to come back with: same room, same identity. */
  async freshToken(): Promise<Token> {
    const body = { sessionId: this.id };
    return valueOf(await this.fleet.request("POST", "/api/token", { body, proof: this.secret }));
  }

  /** Ends the session. Twice is fine. */
  async stop(): Promise<SessionView> {
    const body = { sessionId: this.id };
    return valueOf(await this.fleet.request("POST", "/api/session/stop", { body, proof: this.secret }));
  }

  async logs(): Promise<LogLine[]> {
    return (await valueOf<{ logs: LogLine[] }>(await this.get("/logs"))).logs;
  }

  async transcript(): Promise<Turn[]> {
    return (await valueOf<{ turns: Turn[] }>(await this.get("/transcript"))).turns;
  }

  private get(path: string, options: RequestOptions = {}): Promise<Response> {
    return this.fleet.request("GET", `/api/session/${this.id}${path}`, { proof: this.secret, ...options });
  }
}

/** Gives up a stream that says nothing for too long: the connection is dead, and nobody noticed. */
class Silence {
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  private timer = setTimeout(() => this.controller.abort(), SILENCE_MS);

  constructor(outer: AbortSignal | undefined) {
    const inner = this.controller.signal;
    this.signal = outer === undefined ? inner : AbortSignal.any([outer, inner]);
  }

  heard(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.controller.abort(), SILENCE_MS);
  }

  end(): void {
    clearTimeout(this.timer);
  }
}

/** Whether the same call may be answered later. */
function isPassing(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 429 || error.status >= 500;
  return error instanceof Unreachable || error instanceof StreamBroken;
}

function tokenOf(value: { serverUrl?: string | null; participantToken?: string | null }): Token | null {
  if (!value.serverUrl || !value.participantToken) return null;
  return { serverUrl: value.serverUrl, participantToken: value.participantToken };
}
