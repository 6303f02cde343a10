import type { Room, TextStreamReader } from "livekit-client";
import { beforeEach, describe, expect, test } from "vitest";

import { type Line, Lines } from "../../../src/call/lines.ts";

type Handler = (reader: TextStreamReader, from: { identity: string }) => void;

/** A stream as the client hands it over: its words come bit by bit. */
function stream(segment: string, pieces: string[], isFinal = false, fails = false): TextStreamReader {
  const attributes = { "lk.segment_id": segment, "lk.transcription_final": String(isFinal) };
  const reader = {
    info: { id: `stream-of-${segment}`, timestamp: 1000, attributes },
    async *[Symbol.asyncIterator]() {
      for (const piece of pieces) yield await Promise.resolve(piece);
      if (fails) throw new Error("whoever spoke has left");
    },
  };
  return reader as unknown as TextStreamReader;
}

let told: (readonly Line[])[];
let lines: Lines;
let hear: Handler;
let sent: string[];
let room: Room;

beforeEach(() => {
  told = [];
  sent = [];
  lines = new Lines((all) => told.push(all));
  room = {
    localParticipant: {
      identity: "ada",
      sendText: (text: string) => {
        sent.push(text);
        return Promise.resolve({ id: `typed-${sent.length}` });
      },
    },
    registerTextStreamHandler: (_: string, handler: Handler) => (hear = handler),
  } as unknown as Room;
  lines.attach(room);
});

async function heard(reader: TextStreamReader, identity: string): Promise<readonly Line[]> {
  hear(reader, { identity });
  await new Promise((resolve) => setTimeout(resolve));
  return told.at(-1) ?? [];
}

describe("the lines of a conversation", () => {
  test("an agent's words grow, and are final at their end", async () => {
    const all = await heard(stream("s1", ["It is ", "noon."]), "agent-1");
    expect(told.map((one) => one.at(-1)?.text)).toEqual(["It is ", "It is noon.", "It is noon."]);
    expect(all).toMatchObject([{ id: "s1", by: "agent", text: "It is noon.", isFinal: true, at: 1000 }]);
  });

  test("a user's words are replaced until they are final, and not after", async () => {
    await heard(stream("u1", ["what"]), "ada");
    await heard(stream("u1", ["What time is it?"], true), "ada");
    const all = await heard(stream("u1", ["what time"]), "ada");
    expect(all).toMatchObject([{ by: "user", text: "What time is it?", isFinal: true }]);
  });

  test("what was said before its speaker left stays", async () => {
    const all = await heard(stream("s1", ["I was"], false, true), "agent-1");
    expect(all).toMatchObject([{ text: "I was", isFinal: true }]);
  });

  test("silence is no line", async () => {
    expect(await heard(stream("s1", [" ", ""]), "agent-1")).toEqual([]);
  });

  test("what is typed is sent, and stands among the rest", async () => {
    await lines.type(room, "hello");
    expect(sent).toEqual(["hello"]);
    expect(told.at(-1)).toMatchObject([{ by: "user", text: "hello", isTyped: true, isFinal: true }]);
  });

  test("what was said before the page was loaded comes first, once", async () => {
    await heard(stream("s1", ["Again."]), "agent-1");
    const turns = [{ role: "assistant" as const, text: "Hello.", at: 1 }];
    lines.remember(turns);
    lines.remember(turns);
    expect(told.at(-1)?.map((line) => line.text)).toEqual(["Hello.", "Again."]);
  });

  test("what was being said when the page was loaded comes later, and what was heard since but once", async () => {
    const hello = { role: "assistant" as const, text: "Hello.", at: 1 };
    lines.remember([hello]);
    await heard(stream("s2", ["Here I am."]), "agent-1");
    lines.remember([hello, { ...hello, text: "It is noon.", at: 2 }, { ...hello, text: "Here I am.", at: 3 }]);
    expect(told.at(-1)?.map((line) => line.text)).toEqual(["Hello.", "It is noon.", "Here I am."]);
  });

  test("of a call without end the first lines go", async () => {
    for (let count = 0; count < 1_005; count += 1) hear(stream(`s${count}`, ["word"]), { identity: "agent-1" });
    await new Promise((resolve) => setTimeout(resolve, 1));
    const last = told.at(-1) ?? [];
    expect(last).toHaveLength(1_000);
    expect(last.at(-1)?.id).toBe("s1004");
  });
});
