// The way into a room: with the microphone, and again with other tokens where it is shut at first.

import type { Room } from "livekit-client";

import type { Token } from "../api/index.ts";
import { sleep } from "../api/pauses.ts";
import { choices } from "./memory.ts";
import type { Microphone } from "./microphone.ts";

/** A media server that restarts is back by then. */
const FOR_MS = 60_000;
const PAUSE_MS = 1_000;

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
   * Enters the room, or throws what stood in the way last: a ConnectionError, or what asking for
   * another token came to. Rejects with the signal's reason once that is aborted.
   */
  async enter(token: Token, another: () => Promise<Token>, signal: AbortSignal): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    const until = Date.now() + FOR_MS;
    try {
      for (let next = token; ; next = await another()) {
        const failed = await this.tryOnce(next, signal);
        signal.throwIfAborted();
        if (failed === null) return;
        if (Date.now() > until) throw failed;
        await sleep(PAUSE_MS, signal);
      }
    } finally {
      this.isBusy = false;
    }
  }

  private async tryOnce(token: Token, signal: AbortSignal): Promise<Error | null> {
    const connecting = this.room.connect(token.serverUrl, token.participantToken);
    // Without a connection nothing can be published, which says less than why there is none.
    const [connected, opened] = await Promise.allSettled([connecting, this.microphone.restore()]);
    if (connected.status === "rejected") return connected.reason as Error;
    if (signal.aborted) await this.room.disconnect();
    else if (opened.status === "rejected") throw opened.reason;
    else await this.chooseSpeaker();
    return null;
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
