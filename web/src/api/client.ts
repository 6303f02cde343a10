// The TypeScript client of the HTTP API. No dependencies; runs in browsers and in Node.js.
//
//     const fleet = new Voicefleet("https://voice.example.org");
//     const session = await fleet.start({ userId: "ada" });
//     const token = await session.admitted();
//     for await (const view of session.follow()) show(view);

import { type Cancellable, Session } from "./session.ts";
import { type TokenSource, Transport } from "./transport.ts";
import type { Health, Started } from "./types.ts";

export interface VoicefleetOptions {
  /** Left out, the fleet is asked as anybody may. */
  token?: TokenSource;
  /** No call takes longer, repetitions included; 15 s if left out. */
  timeoutSeconds?: number;
}

export interface StartOptions extends Cancellable {
  userId?: string;
  /** Whether to wait in line when every slot is taken; true if left out. */
  mayWait?: boolean;
  /** Whether the conversation is remembered for the next one. */
  remember?: boolean;
  /** Whom the user talks with, if the fleet offers several. */
  persona?: string;
  /**
   * 16 to 128 characters, as hard to guess as a secret. The same key starts one session, however
   * often it is sent; made up if left out.
   */
  idempotencyKey?: string;
}

/** Above the server's own deadlines. */
const TIMEOUT_SECONDS = 15;

export class Voicefleet {
  private readonly transport: Transport;

  /** Without a URL, the fleet is where the page came from. */
  constructor(baseUrl = "", options: VoicefleetOptions = {}) {
    const timeoutMs = (options.timeoutSeconds ?? TIMEOUT_SECONDS) * 1000;
    this.transport = new Transport(baseUrl, options.token, timeoutMs);
  }

  /**
   * Starts a session, or gets in line for one. A start that is not answered is repeated with the same
   * key, so that it is one session.
   */
  async start(options: StartOptions = {}): Promise<Session> {
    const { idempotencyKey = newKey(), signal, mayWait = true, ...body } = options;
    const call = {
      method: "POST",
      path: "/api/session/start",
      body: { ...body, queue: mayWait },
      headers: { "Idempotency-Key": idempotencyKey },
      signal,
    } as const;
    const started = await this.transport.call<Started>(call, ["sessionId", "sessionSecret", "status"]);
    return new Session(this.transport, started.sessionId, started.sessionSecret, started);
  }

  /**
   * Returns the handle of a session that was started before. Without its secret it is the token's
   * user who asks, as with AUTH_MODE=jwt they may.
   */
  session(id: string, secret: string | null = null): Session {
    return new Session(this.transport, id, secret);
  }

  /** Returns how the fleet is doing, also when that is badly. */
  async health({ signal }: Cancellable = {}): Promise<Health> {
    return this.transport.call<Health>({ method: "GET", path: "/api/health", signal }, ["success"], {
      isAnyStatus: true,
    });
  }
}

/** Not randomUUID: that is only there on pages that came over https. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
