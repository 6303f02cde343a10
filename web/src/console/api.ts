// The API as an admin has it. The key stays in this object: it is not stored, shown or logged.

import { ApiError, type VoicefleetError } from "../api/errors.ts";
import { type Cancellable, Session } from "../api/session.ts";
import { type Call, Transport } from "../api/transport.ts";
import type { SessionView } from "../api/types.ts";
import type { StateFilter } from "./address/address.ts";
import type { Fleet, History, Pool, SessionPage, SessionRecord } from "./types.ts";

/** Short enough to tell soon that a server hangs; its own deadlines are shorter. */
const TIMEOUT_MS = 10_000;
/** What a header can carry; any other text is no key. */
const KEY = /^[!-~]+$/;

export interface SessionsQuery {
  state: StateFilter;
  user: string;
  worker: string;
  limit: number;
  /** `next` of the page before. */
  after: string | null;
}

/** Whether a text could be a key at all. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** Whether the server says that this is no admin. */
export function isDenial(error: unknown): error is ApiError {
  return error instanceof ApiError && (error.status === 401 || error.status === 403);
}

export class Admin {
  private readonly transport: Transport;

  /** `onDenied` hears of each call that the key was no good for. */
  constructor(key: string, onDenied: (error: VoicefleetError) => void, baseUrl = "") {
    this.transport = new AdminTransport(key, onDenied, baseUrl);
  }

  async fleet({ signal }: Cancellable = {}): Promise<Fleet> {
    return this.get("/api/fleet", ["sessions", "workers", "pool", "capacity", "latency"], signal);
  }

  async history(minutes: number, { signal }: Cancellable = {}): Promise<History> {
    return this.get(`/api/fleet/history?minutes=${minutes}`, ["points", "latency", "successRate"], signal);
  }

  async sessions(query: SessionsQuery, { signal }: Cancellable = {}): Promise<SessionPage> {
    const asked = new URLSearchParams({ state: query.state, limit: String(query.limit) });
    if (query.user !== "") asked.set("user", query.user);
    if (query.worker !== "") asked.set("worker", query.worker);
    if (query.after !== null) asked.set("after", query.after);
    return this.get(`/api/sessions?${asked}`, ["sessions", "next"], signal);
  }

  /** Returns any session, as it is in the list. */
  async look(id: string, { signal }: Cancellable = {}): Promise<SessionRecord> {
    return this.get(`/api/sessions/${encodeURIComponent(id)}`, ["sessionId", "status", "epoch"], signal);
  }

  /** Returns the handle of any session, for what its agents have written down. */
  session(id: string): Session {
    return new Session(this.transport, id, null);
  }

  /** Ends any session. Twice is fine. */
  async stop(id: string): Promise<SessionView> {
    const path = `/api/session/${encodeURIComponent(id)}/stop`;
    return this.transport.call<SessionView>({ method: "POST", path }, ["sessionId", "status"]);
  }

  /** Sets how many warm processes the fleet shall have; null: each worker keeps its own number. */
  async resizePool(size: number | null): Promise<Pool> {
    const call: Call = { method: "POST", path: "/api/pool/resize", body: { size } };
    return (await this.transport.call<{ pool: Pool }>(call, ["pool"])).pool;
  }

  /** Orders a worker to take no more sessions, or some again; returns whether that is new. */
  async drain(workerId: string, isDraining: boolean): Promise<boolean> {
    const path = `/api/workers/${encodeURIComponent(workerId)}/drain`;
    const call: Call = { method: "POST", path, body: { draining: isDraining } };
    return (await this.transport.call<{ changed: boolean }>(call, ["changed"])).changed;
  }

  private async get<T extends object>(
    path: string,
    fields: readonly (keyof T & string)[],
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return this.transport.call<T>({ method: "GET", path, signal }, fields);
  }
}

class AdminTransport extends Transport {
  private readonly onDenied: (error: VoicefleetError) => void;

  constructor(key: string, onDenied: (error: VoicefleetError) => void, baseUrl: string) {
    super(baseUrl, key, TIMEOUT_MS);
    this.onDenied = onDenied;
  }

  override async call<T extends object>(...given: Parameters<typeof Transport.prototype.call<T>>): Promise<T> {
    try {
      return await super.call<T>(...given);
    } catch (error) {
      if (isDenial(error)) this.onDenied(error);
      throw error;
    }
  }
}
