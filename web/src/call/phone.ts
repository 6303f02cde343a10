// What calls are made with, one after the other. Each is a new Call, so that nothing of one is left
// in the next.

import { type StartOptions, type TokenSource, Voicefleet } from "../api/index.ts";
import { Call } from "./call.ts";
import { CallMemory, type KeptCall } from "./memory.ts";
import { Observable } from "./observable.ts";

export class Phone extends Observable<{ call: Call }> {
  private readonly baseUrl: string;
  private readonly memory: CallMemory;
  private token: TokenSource | undefined;

  /** Calls the fleet at an address; empty is where the page came from. */
  constructor(baseUrl = "") {
    const memory = new CallMemory(baseUrl);
    super({ call: new Call(new Voicefleet(baseUrl), memory) });
    this.baseUrl = baseUrl;
    this.memory = memory;
  }

  /** Calls as this user from now on. The token is kept nowhere else. */
  signIn(token: TokenSource | undefined): void {
    this.token = token;
  }

  /** Goes on with the call that this tab had before it was loaded again, if there was one. */
  open(): void {
    this.memory.claim();
    const kept = this.memory.find();
    if (kept !== null) void this.another().resume(kept);
  }

  /** Leaves the call with the page. */
  close(): void {
    this.snapshot().call.leave();
    this.memory.release();
  }

  /** Starts another call; one that was lost sight of while the server was away is gone on with. */
  start(options: StartOptions = {}): void {
    const kept = this.memory.find();
    if (kept === null) void this.another().start(options);
    else void this.resumeOr(kept, options);
  }

  /** Goes back to before a call. */
  clear(): void {
    this.another();
  }

  private async resumeOr(kept: KeptCall, options: StartOptions): Promise<void> {
    const call = this.another();
    const isThere = await call.resume(kept);
    // Over meanwhile: it is a call that the user wants, not that one.
    if (!isThere && this.snapshot().call === call) void this.another().start(options);
  }

  private another(): Call {
    this.snapshot().call.leave();
    const { baseUrl, token } = this;
    const call = new Call(new Voicefleet(baseUrl, token === undefined ? {} : { token }), this.memory);
    this.change({ call });
    return call;
  }
}
