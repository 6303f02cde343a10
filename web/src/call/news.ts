// What the API tells of a session, for as long as somebody wants to hear it.

import type { Session, SessionView } from "../api/index.ts";

export class News {
  private readonly hear: (view: SessionView) => void;
  private listening: AbortController | null = null;

  constructor(hear: (view: SessionView) => void) {
    this.hear = hear;
  }

  /**
   * Hears of a session until it is over, or nobody wants to hear of it any more. Does nothing where
   * that goes on already. Throws what went wrong last when the API cannot be reached for long.
   */
  async listen(session: Session, run: AbortSignal): Promise<void> {
    if (this.listening !== null) return;
    const listening = new AbortController();
    const signal = AbortSignal.any([run, listening.signal]);
    this.listening = listening;
    try {
      for await (const view of session.follow({ signal })) this.hear(view);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      if (this.listening === listening) this.listening = null;
    }
  }

  /** Hears nothing more until it listens again. */
  rest(): void {
    this.listening?.abort();
    this.listening = null;
  }
}
