// Server-sent events over fetch: the browser's own EventSource cannot send a proof of ownership.

export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/** Thrown when a stream ends in the middle, as it does when the network changes. */
export class StreamBroken extends Error {
  override readonly name = "StreamBroken";
}

/**
 * Yields the events of a stream (WHATWG HTML, section 9.2), until it ends; null for anything else
 * that was heard. Reads by hand: not every browser can iterate over a stream.
 */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent | null> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let id = "";
  let event = "message";
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw new StreamBroken("the stream broke off", { cause: error });
      });
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield null;
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { id, event, data: data.join("\n") };
          event = "message";
          data = [];
          continue;
        }
        const [, name, text] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
        if (name === "id") id = text ?? "";
        else if (name === "event") event = text ?? "";
        else if (name === "data") data.push(text ?? "");
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
