import { describe, expect, it } from "vitest";

import { type Address, formatAddress, HOME, parseAddress, sessionIdOf } from "../../../src/console/address/address.ts";

const ID = "6f0c1b7e9a2d4c538e17d0b4a95f3c62";

describe("an address", () => {
  it("is empty where one begins", () => {
    expect(formatAddress(HOME)).toBe("");
    expect(parseAddress("")).toEqual(HOME);
    expect(parseAddress("#")).toEqual(HOME);
  });

  it.each<Address>([
    { ...HOME, sessionId: ID },
    { ...HOME, sessionId: ID, tab: "logs" },
    { ...HOME, state: "over", user: "unverified:a+b@example.org", worker: "w-1.local" },
    { sessionId: ID, tab: "transcript", state: "failed", user: "ada", worker: "w_2" },
  ])("comes back from its text: %o", (address) => {
    expect(parseAddress(formatAddress(address))).toEqual(address);
  });

  it("reads well", () => {
    expect(formatAddress({ ...HOME, sessionId: ID })).toBe(`#session/${ID}`);
    expect(formatAddress({ ...HOME, state: "failed" })).toBe("#?state=failed");
    expect(formatAddress({ ...HOME, sessionId: ID, tab: "logs", state: "all" })).toBe(
      `#session/${ID}?tab=logs&state=all`,
    );
  });

  it("does not keep the tab of a session that is closed", () => {
    expect(formatAddress({ ...HOME, tab: "logs" })).toBe("");
  });

  it.each([
    "#session/../../etc",
    "#session/",
    `#worker/${ID}`,
    "#?state=everything&tab=none",
    "#?user=<script>&worker=a%20b",
    `#?user=${"a".repeat(129)}`,
    "#overview",
    "#?%",
  ])("leaves out what it does not understand: %s", (hash) => {
    expect(parseAddress(hash)).toEqual(HOME);
  });
});

describe("a session id", () => {
  it.each([ID, ` ${ID}\n`, ID.toUpperCase(), `vf-${ID}`])("is found in %j", (text) => {
    expect(sessionIdOf(text)).toBe(ID);
  });

  it.each(["", "ada", ID.slice(1), `${ID}0`, `room-${ID}`, "g".repeat(32)])("is not found in %j", (text) => {
    expect(sessionIdOf(text)).toBeNull();
  });
});
