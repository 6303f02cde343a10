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
import { sleep } from "../api/pauses.ts";
import { Door } from "./door.ts";
import { Lines } from "./lines.ts";
import type { CallMemory, KeptCall } from "./memory.ts";
import { Microphone } from "./microphone.ts";
import { News } from "./news.ts";
import { Observable } from "./observable.ts";
import { type Connection, isPastDoor } from "./phase.ts";
import { agentState, CONNECTIONS, watchAgent } from "./room.ts";
import { type CallState, type Marks, NO_CALL, NO_MARKS, phaseOfState } from "./state.ts";
import { trouble, type Trouble, troubleOf, troubleOfEnd } from "./trouble.ts";

/** After that the page goes on without the API's last word. */
const LAST_WORD_SECONDS = 5;

/** The session ends soon, also where nobody hears that its user leaves the room. */
const LEAVES_WITHIN_MS = 500;

/** One call: it starts or resumes once, and ends once. */
export class Call extends Observable<CallState> {
  readonly room = new Room();
  private readonly fleet: Voicefleet;
  private readonly memory: CallMemory;
  private readonly microphone: Microphone;
  private readonly door: Door;
  private readonly news = new News((view) => this.lookAt(view));
  private readonly lines = new Lines((lines) => this.change({ lines }));
  /** Aborted when there is nothing more to wait for. */
  private readonly run = new AbortController();
  private session: Session | null = null;

  constructor(fleet: Voicefleet, memory: CallMemory) {
    super(NO_CALL);
    this.fleet = fleet;
    this.memory = memory;
    this.microphone = new Microphone(this.room, (microphone, hindrance) => this.change({ microphone, hindrance }));
    this.door = new Door(this.room, this.microphone);
    this.lines.attach(this.room);
    watchAgent(this.room, () => this.lookAtAgent());
    this.room
      .on(RoomEvent.ConnectionStateChanged, (state) => this.heard(CONNECTIONS[state]))
      .on(RoomEvent.Disconnected, (reason) => void this.lost(reason));
  }

  /**
   * Starts a call; whatever goes wrong is told in the state. The browser's question about the
   * microphone comes first, so that no agent waits for its answer.
   */
  async start(options: StartOptions = {}): Promise<void> {
    const { signal } = this.run;
    this.change({ isWanted: true, marks: { ...NO_MARKS, asked: Date.now() } });
    try {
      // Whoever said no is not asked again at the door.
      if (!(await this.microphone.ask())) this.microphone.isWanted = false;
      signal.throwIfAborted();
      // Not cut off by a user who has changed their mind: what has begun must be ended, too.
      const session = await this.fleet.start(options);
      if (signal.aborted) {
        await session.stop();
        return;
      }
      this.mark("answered");
      this.memory.keep({ id: session.id, secret: session.secret, isMuted: !this.microphone.isWanted });
      this.take(session, session.queue === null ? null : { ...session.queue, toldAt: Date.now() });
      if (session.token !== null) void this.join(session.token);
      void this.follow();
    } catch (error) {
      if (!signal.aborted) this.finish(troubleOf(error));
    }
  }

  /**
   * Goes on with a call that this tab had before it was loaded again; returns whether that still
   * lives, or may.
   */
  async resume(kept: KeptCall): Promise<boolean> {
    const { signal } = this.run;
    const session = this.fleet.session(kept.id, kept.secret);
    this.microphone.isWanted = !kept.isMuted;
    this.change({ isWanted: true });
    this.session = session;
    try {
      const view = await session.view({ signal });
      if (isOver(view)) {
        this.drop();
        return false;
      }
      this.take(session, null);
      this.lookAt(view);
      if (view.status !== "queued") {
        await this.lines.catchUp(session, signal);
        // Somebody who was in the room before is on the way back to it.
        this.change({ wasConnected: this.snapshot().wasConnected || view.joinedAt !== null });
        void this.join(null);
      }
      void this.follow();
    } catch (error) {
      if (signal.aborted) return true;
      // One that is known no more is no trouble for a user who has not asked for anything yet.
      if (error instanceof ApiError && !error.isPassing) {
        this.drop();
        return false;
      }
      this.finish(troubleOf(error));
    }
    return true;
  }

  /** Ends the call, or gives up the place in line. */
  async end(): Promise<void> {
    this.finish(null);
    // First out of the room: who is still in it when that is closed is cut off.
    await Promise.race([this.room.disconnect(), sleep(LEAVES_WITHIN_MS)]);
    const view = await this.session?.stop().catch(() => null);
    if (view) this.change({ view });
  }

  /** Leaves the room with the page; who comes back within the room's patience goes on. */
  leave(): void {
    this.stop();
    void this.room.disconnect();
  }

  async setMicrophone(isOn: boolean): Promise<void> {
    this.memory.note({ isMuted: !isOn });
    await (isOn ? this.microphone.open() : this.microphone.mute());
  }

  /** Tries once more what hindered the microphone: to open it, or before there is a room to ask for it. */
  async retryMicrophone(): Promise<void> {
    if (isPastDoor(phaseOfState(this.snapshot()))) await this.setMicrophone(true);
    else {
      this.microphone.isWanted = await this.microphone.ask();
      this.memory.note({ isMuted: !this.microphone.isWanted });
    }
  }

  /** Sends a text to the agent; throws when it could not be sent. */
  async type(text: string): Promise<void> {
    await this.lines.type(this.room, text);
  }

  /** Returns the session, for what the API has to tell of it besides its state. */
  get handle(): Session | null {
    return this.session;
  }

  private take(session: Session, queue: CallState["queue"]): void {
    this.session = session;
    this.change({ sessionId: session.id, queue });
  }

  /** Hears what the API has to say until the agent is there, and from then on the room says it. */
  private async follow(): Promise<void> {
    if (this.session === null) return;
    try {
      await this.news.listen(this.session, this.run.signal);
    } catch (error) {
      // In the room the API is not needed, and on the way to it the door has a patience of its own.
      if (this.snapshot().connection !== "connected" && !this.door.isOpening) this.finish(troubleOf(error));
    }
  }

  private lookAt(view: SessionView): void {
    const queue = view.queue === null ? null : { ...view.queue, toldAt: Date.now() };
    this.change({ view, queue });
    const token = tokenOf(view);
    if (isOver(view)) this.finish(troubleOfEnd(view, this.snapshot().hadAgent));
    else if (token !== null && this.snapshot().connection === "none") void this.join(token);
    this.restIfServed();
  }

  /** Enters the room; without a token, with one that is asked for. */
  private async join(token: Token | null): Promise<void> {
    const { session, run: { signal } } = this;
    if (session === null || this.door.isOpening) return;
    try {
      await this.door.enter(token, () => session.freshToken({ signal }), signal);
    } catch (error) {
      if (!signal.aborted) await this.lastWord(troubleOf(error));
    }
  }

  private heard(connection: Connection): void {
    this.change({ connection });
    if (connection !== "connected") return;
    this.change({ wasConnected: true });
    this.mark("connected");
    // Allowed on the way only, it was not opened at the door.
    void this.microphone.restore();
    this.lookAtAgent();
  }

  private lookAtAgent(): void {
    const state = this.room.state === ConnectionState.Disconnected ? null : agentState(this.room);
    const hadAgent = this.snapshot().hadAgent || state !== null;
    this.change({ agentState: state, hadAgent });
    if (state === "speaking") this.mark("agentSpoke");
    if (state === "listening" && this.lines.mustAskAgain && this.session !== null) {
      void this.lines.catchUp(this.session, this.run.signal);
    }
    if (state === null) {
      if (hadAgent && phaseOfState(this.snapshot()) === "replacing") void this.follow();
      return;
    }
    this.mark("agentCame");
    this.restIfServed();
  }

  /** With the agent there, and the API knowing it, the room tells all else. */
  private restIfServed(): void {
    const { agentState: state, view } = this.snapshot();
    if (state !== null && view?.status === "active") this.news.rest();
  }

  /** Left the room without having wanted to: over, taken over by another tab, or to come back. */
  private async lost(reason: DisconnectReason | undefined): Promise<void> {
    const { signal } = this.run;
    if (signal.aborted || this.door.isOpening || !this.snapshot().wasConnected) return;
    this.lookAtAgent();
    if (reason === DisconnectReason.DUPLICATE_IDENTITY) this.finish(trouble("taken-over"));
    else if (!(await this.isOverNow())) {
      void this.join(null);
      void this.follow();
    }
  }

  /** Asks whether the session is over, and ends the call if it is. */
  private async isOverNow(): Promise<boolean> {
    const { signal } = this.run;
    try {
      let view = await this.session?.view({ signal });
      if (view?.status === "ending") {
        view = await this.session?.view({ waitSeconds: LAST_WORD_SECONDS, since: view.revision, signal });
      }
      if (view === undefined) return false;
      this.change({ view });
      if (isOver(view) || view.status === "ending") this.finish(troubleOfEnd(view, this.snapshot().hadAgent));
      return this.snapshot().isOver;
    } catch {
      // Whoever asks has an own idea of what to do without an answer.
      return signal.aborted;
    }
  }

  /** Ends with what the API says of it, if it does; else with what we know ourselves. */
  private async lastWord(own: Trouble): Promise<void> {
    if (await this.isOverNow()) return;
    const isLost = own.kind === "media-unreachable" && this.snapshot().wasConnected;
    this.finish(isLost ? trouble("connection-lost") : own);
  }

  /** Waits for nothing more. */
  private stop(): void {
    this.run.abort();
    this.news.rest();
    this.microphone.close();
  }

  /** Is as if there had been no call. */
  private drop(): void {
    this.leave();
    this.memory.forget();
    this.change(NO_CALL);
  }

  private finish(cause: Trouble | null): void {
    this.leave();
    // A server that is away may be back when the page is loaded again, and the call with it.
    if (cause?.kind !== "unreachable") this.memory.forget();
    this.change({ isOver: true, trouble: cause, queue: null });
  }

  private mark(name: keyof Marks): void {
    const { marks } = this.snapshot();
    if (marks[name] === null) this.change({ marks: { ...marks, [name]: Date.now() } });
  }
}
