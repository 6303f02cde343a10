import { expect, test } from "vitest";

import type { Line } from "../../../src/call/lines.ts";
import { fileName, textOf } from "../../../src/call/script.ts";

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const LINES: Line[] = [
  { id: "1", by: "agent", text: "Hello. ", at: AT, isFinal: true, isTyped: false },
  { id: "2", by: "user", text: "What time is it?", at: AT + 2000, isFinal: true, isTyped: true },
];

test("a saved conversation says who said what, and when", () => {
  expect(textOf(LINES)).toBe(
    "[2026-01-02T03:04:05.000Z] Agent: Hello.\n\n[2026-01-02T03:04:07.000Z] You (typed): What time is it?\n",
  );
  expect(fileName(LINES)).toBe("conversation-2026-01-02.txt");
});
