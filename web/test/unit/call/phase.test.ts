import { describe, expect, test } from "vitest";

import { type Facts, isPastDoor, isTalking, type Phase, phaseOf } from "../../../src/call/phase.ts";

const NOTHING: Facts = {
  isWanted: false,
  isOver: false,
  status: null,
  connection: "none",
  wasConnected: false,
  agentState: null,
  hadAgent: false,
};
const IN_ROOM: Partial<Facts> = { isWanted: true, status: "active", connection: "connected", wasConnected: true };

const STORIES: [string, Partial<Facts>, Phase][] = [
  ["nobody has asked for anything", {}, "idle"],
  ["the API has not answered", { isWanted: true }, "starting"],
  ["all agents are busy", { isWanted: true, status: "queued" }, "queued"],
  ["there is a token", { isWanted: true, status: "starting" }, "connecting"],
  ["the browser is on its way", { isWanted: true, status: "ready", connection: "connecting" }, "connecting"],
  ["the user is first", { ...IN_ROOM, status: "starting" }, "waiting"],
  ["the agent sets itself up", { ...IN_ROOM, agentState: "initializing", hadAgent: true }, "waiting"],
  ["the agent hears", { ...IN_ROOM, agentState: "listening", hadAgent: true }, "listening"],
  ["the agent has nothing to do", { ...IN_ROOM, agentState: "idle", hadAgent: true }, "listening"],
  ["the agent thinks", { ...IN_ROOM, agentState: "thinking", hadAgent: true }, "thinking"],
  ["the agent speaks", { ...IN_ROOM, agentState: "speaking", hadAgent: true }, "speaking"],
  ["the agent was lost", { ...IN_ROOM, status: "recovering", hadAgent: true }, "replacing"],
  ["nobody has told the API yet", { ...IN_ROOM, hadAgent: true }, "replacing"],
  ["the network was lost", { ...IN_ROOM, connection: "reconnecting", agentState: "listening" }, "reconnecting"],
  ["the room was lost", { ...IN_ROOM, connection: "none" }, "reconnecting"],
  ["the way back is being tried", { ...IN_ROOM, connection: "connecting" }, "reconnecting"],
  ["the user has hung up", { ...IN_ROOM, isOver: true, agentState: "speaking" }, "over"],
  ["it was over before it began", { isOver: true, status: "queued" }, "over"],
];

describe("the phase of a call", () => {
  test.each(STORIES)("%s", (_, facts, phase) => {
    expect(phaseOf({ ...NOTHING, ...facts })).toBe(phase);
  });

  test("every phase has its story", () => {
    expect(new Set(STORIES.map(([, , phase]) => phase)).size).toBe(11);
  });

  test("who has been in the room is past its door until the end", () => {
    const before = STORIES.map(([, , phase]) => phase).filter((phase) => !isPastDoor(phase));
    expect(new Set(before)).toEqual(new Set(["idle", "starting", "queued", "connecting", "over"]));
  });

  test("there is talk only with an agent that is there", () => {
    const talking = STORIES.map(([, , phase]) => phase).filter(isTalking);
    expect(new Set(talking)).toEqual(new Set(["listening", "thinking", "speaking"]));
  });
});
