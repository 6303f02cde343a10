// The conversation as a text to keep.

import { strings } from "../strings.ts";
import type { Line } from "./lines.ts";

/** Returns one paragraph for each line, with its time. */
export function textOf(lines: readonly Line[]): string {
  const said = lines.map((line) => {
    const typed = line.isTyped ? ` (${strings.transcript.typed})` : "";
    return `[${new Date(line.at).toISOString()}] ${strings.transcript[line.by]}${typed}: ${line.text.trim()}\n`;
  });
  return said.join("\n");
}

/** Returns what its file is called: by the day on which it began. */
export function fileName(lines: readonly Line[]): string {
  const at = lines[0]?.at ?? Date.now();
  return strings.transcript.file(new Date(at).toISOString().slice(0, 10));
}
