// A call from the click to its end: the API gives a session and a token, LiveKit a room. The API is
// followed only while there is something to wait for; what happens in the room is heard there.

import { ConnectionState, DisconnectReason, Room, RoomEvent } from "livekit-client";

import {
  ApiError,
  isOver,
  type Session,
  type SessionView,
  type StartOptions,
  type Token,
  tokenOf,
  type Voicefleet,
} from "../api/index.ts";
import { agentState, watchAgent } from "./agent.ts";
import { Lines } from "./lines.ts";
import { CallMemory, choices } from "./memory.ts";
import { Microphone } from "./microphone.ts";
import { Observable } from "./observable.ts";
import { type Connection, type Phase, phaseOf } from "./phase.ts";
import { type CallState, type Marks, NO_CALL, NO_MARKS } from "./state.ts";
import { trouble, type Trouble, troubleOf } from "./trouble.ts";

/** Ways into the room are tried again for so long while the session lives. */
const REJOIN_FOR_MS = 60_000;
const REJOIN_PAUSE_MS = 1_000;
/** After that the page goes on without the API's last word. */
const LAST_WORD_SECONDS = 5;

const CONNECTIONS: Readonly<Record<ConnectionState, Connection>> = {
  [ConnectionState.Disconnected]: "none",
  [ConnectionState.Connecting]: "connecting",
  [ConnectionState.Connected]: "connected",
  [ConnectionState.Reconnecting]: "reconnecting",
  [ConnectionState.SignalReconnecting]: "reconnecting",
};

export class Call extends Observable<CallState> {
  /** Buffered before it connects, so that the first words are not lost. */
  readonly room = new Room({ publishDefaults: { preConnectBuffer: true } });
  private readonly fleet: Voicefleet;
  private readonly memory: CallMemory;
  private readonly microphone: Microphone;
  private readonly lines = new Lines((lines) => this.change({ lines }));
  private session: Session | null = null;
  /** Aborted when this call is over; the next one has another. */
  private run = new AbortController();
  private following: AbortController | null = null;
  private isJoining = false;

  constructor(fleet: Voicefleet, baseUrl = "") {
    super(NO_CALL);
    this.fleet = fleet;
    this.memory = new CallMemory(baseUrl);
    this.microphone = new Microphone(this.room, (microphone, hindrance) => this.change({ microphone, hindrance }));
    this.lines.attach(this.room);
    watchAgent(this.room, () => this.lookAtAgent());
    this.room
      .on(RoomEvent.ConnectionStateChanged, (state) => this.heard(CONNECTIONS[state]))
      .on(RoomEvent.Disconnected, (reason) => void this.lost(reason))
      .on(RoomEvent.AudioPlaybackStatusChanged, () => this.change({ canPlay: this.room.canPlaybackAudio }));
  }

  get phase(): Phase {
    return phaseOfState(this.snapshot());
  }

  /**
   * Starts a call; whatever goes wrong is told in the state. The browser's question about the
   * microphone comes first, so that no agent waits for its answer.
   */
  async start(options: StartOptions = {}): Promise<void> {
    this.begin({ asked: Date.now() });
    const { signal } = this.run;
    try {
      await this.microphone.ask();
      signal.throwIfAborted();
      const session = await this.fleet.start({ ...options, signal });
      this.mark("answered");
      this.memory.keep({ id: session.id, secret: session.secret, askedAt: Date.now() });
      this.take(session, session.queue === null ? null : { ...session.queue, toldAt: Date.now() });
      if (session.token !== null) void this.join(session.token);
      void this.follow();
    } catch (error) {
      if (!signal.aborted) this.finish(troubleOf(error));
    }
  }

  /** Goes on with the call that this tab had before it was loaded again, if that still lives. */
  async resume(): Promise<void> {
    const kept = this.memory.find();
    if (kept === null) return;
    this.begin({ asked: kept.askedAt });
    const { signal } = this.run;
    try {
      const session = this.fleet.session(kept.id, kept.secret);
      const view = await session.view({ signal });
      if (isOver(view)) return this.reset();
      this.take(session, null);
      this.lookAt(view);
      if (view.status !== "queued") {
        this.lines.remember(await session.transcript({ signal }));
        // Somebody who was in the room before is on the way back to it.
        this.change({ wasConnected: view.joinedAt !== null });
        void this.join(await session.freshToken({ signal }));
      }
      void this.follow();
    } catch (error) {
      if (signal.aborted) return;
      // One that is known no more is no trouble for a user who has not asked for anything yet.
      if (error instanceof ApiError && !error.isPassing) this.reset();
      else this.finish(troubleOf(error));
    }
  }

  /** Ends the call, or gives up the place in line. */
  async end(): Promise<void> {
    const { session } = this;
    this.finish(null);
    const view = await session?.stop().catch(() => null);
    if (view && this.session === session) this.change({ view });
  }

  /** Goes back to before the call. */
  reset(): void {
    this.finish(null);
    this.session = null;
    this.change(NO_CALL);
  }

  async setMicrophone(isOn: boolean): Promise<void> {
    await (isOn ? this.microphone.open() : this.microphone.mute());
  }

  /** Sends a text to the agent; throws when it could not be sent. */
  async type(text: string): Promise<void> {
    await this.lines.type(this.room, text);
  }

  /** Returns the session, for what the API has to tell of it besides its state. */
  get handle(): Session | null {
    return this.session;
  }

  private begin(marks: Partial<Marks>): void {
    this.run.abort();
    this.run = new AbortController();
    this.lines.clear();
    this.change({ ...NO_CALL, isWanted: true, marks: { ...NO_MARKS, ...marks } });
  }

  private take(session: Session, queue: CallState["queue"]): void {
    this.session = session;
    this.change({ sessionId: session.id, queue });
  }

  /** Hears what the API has to say until the agent is there, and from then on the room says it. */
  private async follow(): Promise<void> {
    if (this.session === null || this.following !== null) return;
    const { signal } = this.run;
    const following = new AbortController();
    const abort = (): void => following.abort();
    signal.addEventListener("abort", abort);
    this.following = following;
    try {
      for await (const view of this.session.follow({ signal: following.signal })) this.lookAt(view);
    } catch (error) {
      // In the room, the API is not needed.
      if (!following.signal.aborted && this.snapshot().connection !== "connected") this.finish(troubleOf(error));
    } finally {
      signal.removeEventListener("abort", abort);
      if (this.following === following) this.following = null;
    }
  }

  private lookAt(view: SessionView): void {
    const queue = view.queue === null ? null : { ...view.queue, toldAt: Date.now() };
    this.change({ view, queue });
    const token = tokenOf(view);
    if (isOver(view)) this.finish(view.status === "ended" ? null : trouble("session-failed", view.message));
    else if (token !== null && this.snapshot().connection === "none") void this.join(token);
  }

  /** Enters the room, by other tokens and for a while again where that fails. */
  private async join(token: Token): Promise<void> {
    if (this.isJoining) return;
    this.isJoining = true;
    const { signal } = this.run;
    const until = Date.now() + REJOIN_FOR_MS;
    try {
      for (let next = token; ; next = await this.anotherToken(signal)) {
        const failed = await this.enter(next);
        if (failed === null || signal.aborted) return;
        if (Date.now() > until) throw failed;
        await pause(REJOIN_PAUSE_MS, signal);
      }
    } catch (error) {
      if (!signal.aborted) await this.lastWord(troubleOf(error));
    } finally {
      this.isJoining = false;
    }
  }

  private async enter(token: Token): Promise<Error | null> {
    const connecting = this.room.connect(token.serverUrl, token.participantToken);
    // One that is not connected cannot publish, and says so; that it is not connected says more.
    const [connected, opened] = await Promise.allSettled([connecting, this.microphone.open()]);
    if (connected.status === "rejected") return connected.reason as Error;
    if (this.run.signal.aborted) await this.room.disconnect();
    else if (opened.status === "rejected") throw opened.reason;
    else if (choices().speakerId !== "") await this.room.switchActiveDevice("audiooutput", choices().speakerId, false);
    return null;
  }

  private async anotherToken(signal: AbortSignal): Promise<Token> {
    if (this.session === null) throw new Error("a room without a session");
    return this.session.freshToken({ signal });
  }

  private heard(connection: Connection): void {
    this.change({ connection });
    if (connection !== "connected") return;
    this.change({ wasConnected: true });
    this.mark("connected");
    this.lookAtAgent();
  }

  private lookAtAgent(): void {
    const state = this.room.state === ConnectionState.Disconnected ? null : agentState(this.room);
    const hadAgent = this.snapshot().hadAgent || state !== null;
    this.change({ agentState: state, hadAgent });
    if (state === "speaking") this.mark("agentSpoke");
    if (state === null) {
      if (hadAgent && this.phase === "replacing") void this.follow();
      return;
    }
    this.mark("agentCame");
    if (state !== "initializing") this.following?.abort();
  }

  /** Left the room without having wanted to: over, taken over by another tab, or to come back. */
  private async lost(reason: DisconnectReason | undefined): Promise<void> {
    const { signal } = this.run;
    if (signal.aborted || this.isJoining || !this.snapshot().wasConnected) return;
    this.lookAtAgent();
    if (reason === DisconnectReason.DUPLICATE_IDENTITY) return this.finish(trouble("taken-over"));
    try {
      const view = await this.session?.view({ signal });
      if (!view || isOver(view) || view.status === "ending") return await this.lastWord(null);
      void this.join(await this.anotherToken(signal));
      void this.follow();
    } catch (error) {
      if (!signal.aborted) this.finish(troubleOf(error));
    }
  }

  /** Ends with what the API says of it, if it does; else with what we know ourselves. */
  private async lastWord(own: Trouble | null): Promise<void> {
    const { signal } = this.run;
    try {
      const waitSeconds = own === null ? LAST_WORD_SECONDS : 0;
      let view = await this.session?.view({ signal });
      if (view?.status === "ending") view = await this.session?.view({ waitSeconds, since: view.revision, signal });
      if (view) this.change({ view });
      if (view && isOver(view)) return this.finish(view.status === "ended" ? null : trouble("session-failed", view.message));
    } catch (error) {
      if (signal.aborted) return;
      if (own === null) return this.finish(troubleOf(error));
    }
    this.finish(own);
  }

  private finish(cause: Trouble | null): void {
    this.run.abort();
    this.following?.abort();
    // A server that is away may be back when the page is loaded again, and the call with it.
    if (cause?.kind !== "unreachable") this.memory.forget();
    this.change({ isOver: true, trouble: cause, queue: null });
    void this.room.disconnect();
  }

  private mark(name: keyof Marks): void {
    const { marks } = this.snapshot();
    if (marks[name] === null) this.change({ marks: { ...marks, [name]: Date.now() } });
  }
}

/** Returns the phase that a state amounts to. */
export function phaseOfState(state: CallState): Phase {
  return phaseOf({ ...state, status: state.view?.status ?? (state.queue === null ? startedStatus(state) : "queued") });
}

/** Before its first view, a session with a token is one that starts. */
function startedStatus(state: CallState): "starting" | null {
  return state.sessionId === null ? null : "starting";
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
