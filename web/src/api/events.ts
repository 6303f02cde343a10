// Server-sent events over fetch: the browser's own EventSource cannot send a proof of ownership.

export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/** Yields the events of a stream (WHATWG HTML, section 9.2), until it ends. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let rest = "";
  let id = "";
  let event = "message";
  let data: string[] = [];
  for await (const text of body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
    const lines = (rest + text).split(/\r\n|\n|\r/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) yield { id, event, data: data.join("\n") };
        event = "message";
        data = [];
        continue;
      }
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (name === "id") id = value ?? "";
      else if (name === "event") event = value ?? "";
      else if (name === "data") data.push(value ?? "");
    }
  }
}
