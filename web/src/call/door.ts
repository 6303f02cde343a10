// The way into a room: with the microphone, and again where it is shut at first.

import { ConnectionError, ConnectionState, type Room } from "livekit-client";

import { type Token, VoicefleetError } from "../api/index.ts";
import { Pauses, sleep } from "../api/pauses.ts";
import { choices } from "./memory.ts";
import type { Microphone } from "./microphone.ts";

/** A media server that restarts is back by then. */
const FOR_MS = 60_000;

export class Door {
  private readonly room: Room;
  private readonly microphone: Microphone;
  private isBusy = false;

  constructor(room: Room, microphone: Microphone) {
    this.room = room;
    this.microphone = microphone;
  }

  /** Whether somebody is on the way in. */
  get isOpening(): boolean {
    return this.isBusy;
  }

  /**
   * Enters the room, for a minute again and again; then throws what stood in the way last. Without a
   * token it asks for one. What refuses another token for good is thrown at once. Rejects with the
   * signal's reason once that is aborted.
   */
  async enter(token: Token | null, another: () => Promise<Token>, signal: AbortSignal): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    const until = Date.now() + FOR_MS;
    const pauses = new Pauses();
    try {
      for (let next = token ?? (await newer(null, another)); ; next = await newer(next, another)) {
        const failed = next instanceof Error ? next : await this.tryOnce(next, signal);
        signal.throwIfAborted();
        if (failed === null) return;
        if (Date.now() > until) throw failed;
        await sleep(pauses.nextMs(), signal);
      }
    } finally {
      this.isBusy = false;
    }
  }

  private async tryOnce(token: Token, signal: AbortSignal): Promise<Error | null> {
    const connecting = this.room.connect(token.serverUrl, token.participantToken);
    // Not waited for: a user may take a while to answer the browser's question.
    void this.microphone.restore();
    try {
      await connecting;
    } catch (error) {
      return error as Error;
    }
    if (signal.aborted) await this.room.disconnect();
    else await this.chooseSpeaker();
    // Nobody else hears of a connection that was lost meanwhile: this one is still on the way in.
    if (this.room.state !== ConnectionState.Disconnected || signal.aborted) return null;
    return ConnectionError.internal("lost again at once");
  }

  private async chooseSpeaker(): Promise<void> {
    const { speakerId } = choices();
    if (speakerId === "") return;
    try {
      await this.room.switchActiveDevice("audiooutput", speakerId, false);
    } catch {
      // It is not plugged in today, or the browser lets no page choose: the system's it is.
    }
  }
}

/**
 * Returns another token; while the server is away, the one that there is, which may still be good, or
 * what is wrong.
 */
async function newer(held: Token | Error | null, another: () => Promise<Token>): Promise<Token | Error> {
  try {
    return await another();
  } catch (error) {
    if (error instanceof VoicefleetError && error.isPassing) return held ?? error;
    throw error;
  }
}
