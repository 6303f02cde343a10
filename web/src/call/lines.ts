// What was said and typed, in the order in which it began. LiveKit sends transcripts as text
// streams of the topic lk.transcription (docs.livekit.io/agents/build/text): an agent's words come
// bit by bit in one stream, a user's as streams that replace each other, with the same segment.

import type { Room, TextStreamReader } from "livekit-client";

import type { Session, Turn } from "../api/index.ts";

export interface Line {
  id: string;
  by: "user" | "agent";
  text: string;
  /** When it began, in ms since 1970. */
  at: number;
  /** Whether nothing more is added or changed. */
  isFinal: boolean;
  isTyped: boolean;
}

const TRANSCRIPTION = "lk.transcription";
/** Agents read it (livekit-agents, RoomOptions.text_input). */
const CHAT = "lk.chat";
/** Beyond it the first ones go; a call of an hour has fewer. */
const MOST_LINES = 1_000;
export const MOST_TYPED_CHARS = 2_000;

const BEFORE = "before-";

function lineOf(turn: Turn, place: number): Line {
  const by = turn.role === "user" ? "user" : "agent";
  return { id: `${BEFORE}${place}`, by, text: turn.text, at: turn.at, isFinal: true, isTyped: false };
}

function isFromBefore(line: Line): boolean {
  return line.id.startsWith(BEFORE);
}

export class Lines {
  /** Whether something may just have been said when the API was asked, which knows it a moment later. */
  mustAskAgain = false;
  private all: readonly Line[] = [];
  private readonly tell: (lines: readonly Line[]) => void;

  constructor(tell: (lines: readonly Line[]) => void) {
    this.tell = tell;
  }

  /** Listens to the transcripts of a room, for as long as there is one. */
  attach(room: Room): void {
    room.registerTextStreamHandler(TRANSCRIPTION, (reader, { identity }) => {
      const by = identity === room.localParticipant.identity ? "user" : "agent";
      void this.read(reader, by);
    });
  }

  /** Sends what the user has typed; throws when it could not be sent. */
  async type(room: Room, text: string): Promise<void> {
    const { id } = await room.localParticipant.sendText(text, { topic: CHAT });
    this.put({ id, by: "user", text, at: Date.now(), isFinal: true, isTyped: true });
  }

  /**
   * Takes over what the API knows to have been said, from before this page was loaded. Asked again it
   * also knows what was being said at that moment; what has been heard here since is not doubled.
   */
  remember(turns: readonly Turn[]): void {
    const known = this.all.filter(isFromBefore).length;
    const heard = this.all.filter((line) => !isFromBefore(line));
    const before = turns.map(lineOf).filter((line, place) => {
      return place < known || !heard.some((one) => one.by === line.by && one.text.trim() === line.text.trim());
    });
    this.set([...before, ...heard]);
  }

  /** Asks what was said before, and has to be asked once more when the agent has ended its sentence. */
  async catchUp(session: Session, signal: AbortSignal): Promise<void> {
    this.mustAskAgain = !this.mustAskAgain;
    try {
      this.remember(await session.transcript({ signal }));
    } catch {
      // A call without the words of before is a call.
    }
  }

  private async read(reader: TextStreamReader, by: Line["by"]): Promise<void> {
    const attributes = reader.info.attributes ?? {};
    const id = attributes["lk.segment_id"] ?? reader.info.id;
    const line = { id, by, at: reader.info.timestamp, isTyped: false };
    // The words of a user come whole each time, so that they would flicker if shown bit by bit.
    const isWhole = by === "user";
    let text = "";
    try {
      for await (const piece of reader) {
        text += piece;
        if (!isWhole && text.trim() !== "") this.put({ ...line, text, isFinal: false });
      }
    } catch {
      // Whoever spoke has left in the middle of it: what came until then was said.
    }
    const isFinal = !isWhole || attributes["lk.transcription_final"] === "true";
    if (text.trim() !== "") this.put({ ...line, text, isFinal });
  }

  private put(line: Line): void {
    const place = this.all.findIndex((one) => one.id === line.id);
    const known = this.all[place];
    if (known === undefined) this.set([...this.all, line].slice(-MOST_LINES));
    // An interim result may be overtaken by the final one.
    else if (!known.isFinal || line.isFinal) this.set(this.all.with(place, { ...line, at: known.at }));
  }

  private set(lines: readonly Line[]): void {
    this.all = lines;
    this.tell(lines);
  }
}
