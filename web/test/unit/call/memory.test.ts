import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { CallMemory, choices, choose } from "../../../src/call/memory.ts";

/** As much of the browser's own as is used; `isFull` is a disk that takes nothing more. */
class Kept {
  readonly items = new Map<string, string>();
  isFull = false;

  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    if (this.isFull) throw new Error("QuotaExceededError");
    this.items.set(key, value);
  }

  removeItem(key: string): void {
    this.items.delete(key);
  }
}

let lasting: Kept;
let ofTab: Kept;

beforeEach(() => {
  [lasting, ofTab] = [new Kept(), new Kept()];
  vi.stubGlobal("localStorage", lasting);
  vi.stubGlobal("sessionStorage", ofTab);
});

afterEach(() => vi.unstubAllGlobals());

describe("choices", () => {
  test("are kept beside each other", () => {
    choose({ volume: 0.5 });
    choose({ theme: "dark" });
    expect(choices()).toMatchObject({ volume: 0.5, theme: "dark", microphoneId: "" });
  });

  test("of another kind than ours, or none, are as if there were none", () => {
    for (const text of ['{"volume":"loud","theme":7}', "[1]", "7", "no JSON", "null"]) {
      lasting.items.set("voicefleet.choices", text);
      expect(choices()).toMatchObject({ volume: 1, theme: "system" });
    }
    lasting.items.set("voicefleet.choices", '{"volume":12}');
    expect(choices().volume).toBe(1);
  });

  test("hold for now where nothing can be kept", () => {
    lasting.isFull = true;
    choose({ volume: 0.2 });
    expect(choose({ theme: "dark" }).volume).toBe(0.2);
    expect(choices()).toMatchObject({ volume: 0.2, theme: "dark" });
    lasting.isFull = false;
    choose({ volume: 0.4 });
    expect(lasting.items.get("voicefleet.choices")).toContain("0.4");
  });
});

describe("the call of a tab", () => {
  const call = { id: "s1", secret: "hush", isMuted: true };

  test("is found again, until it is forgotten", () => {
    const memory = new CallMemory("");
    memory.keep(call);
    expect(new CallMemory("").find()).toEqual(call);
    memory.forget();
    expect(memory.find()).toBeNull();
  });

  test("with another server is another one", () => {
    new CallMemory("").keep(call);
    expect(new CallMemory("https://voice.example.org").find()).toBeNull();
  });

  test("is not that of another element of the page", () => {
    const [first, second] = [new CallMemory(""), new CallMemory("")];
    first.claim();
    second.claim();
    first.keep(call);
    expect(second.find()).toBeNull();
    second.keep({ ...call, id: "s2" });
    first.release();
    second.release();
    const again = [new CallMemory(""), new CallMemory("")];
    for (const memory of again) memory.claim();
    expect(again.map((memory) => memory.find()?.id)).toEqual(["s1", "s2"]);
    for (const memory of again) memory.release();
  });

  test("never lasts longer than its tab", () => {
    new CallMemory("").keep(call);
    expect([...lasting.items.values()].join()).not.toContain("hush");
    expect([...ofTab.items.values()].join()).toContain("hush");
  });

  test("that is none of ours is none", () => {
    ofTab.items.set("voicefleet.call", '{"id":7}');
    expect(new CallMemory("").find()).toBeNull();
  });
});
