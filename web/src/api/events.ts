// Server-sent events over fetch (WHATWG HTML, section 9.2), as far as our server uses them. The
// browser's own EventSource cannot send a proof of ownership.

import { notOurs, parsed, piecesOf } from "./answers.ts";
import { Unreachable } from "./errors.ts";
import type { SessionView } from "./types.ts";

/** An event of ours has one or two KB, in one line. */
const MAX_CHARS = 256 * 1024;
const MAX_DATA_LINES = 100;

/**
 * Yields the sessions that a stream tells of; null for a comment, which keeps it alive. Throws
 * Unreachable for an event that is none of ours, or does not end.
 */
export async function* viewsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<SessionView | null> {
  let data: string[] = [];
  let size = 0;
  for await (const line of linesOf(body)) {
    const [, name, text = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (line === "" && data.length > 0) {
      yield viewOf(data.join("\n"));
      data = [];
      size = 0;
    } else if (name === "data") {
      size += text.length;
      if (data.push(text) > MAX_DATA_LINES || size > MAX_CHARS) throw endless();
    } else if (line.startsWith(":")) yield null;
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of piecesOf(body)) {
    rest += decoder.decode(piece, { stream: true });
    if (rest.includes("\n")) {
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    }
    if (rest.length > MAX_CHARS) throw endless();
  }
}

function viewOf(text: string): SessionView {
  const view = parsed(text) as SessionView | null;
  const isOne = typeof view?.sessionId === "string" && typeof view.status === "string";
  if (!isOne || !Number.isSafeInteger(view.revision)) throw notOurs();
  return view;
}

function endless(): Unreachable {
  return new Unreachable("something answered with a line or an event that does not end");
}
