// The agent in a room: whether it is there, and what it does.

import { ParticipantKind, type RemoteParticipant, type Room, RoomEvent } from "livekit-client";

const STATE = "lk.agent.state";
/** An avatar speaks for an agent, and is none. */
const ON_BEHALF = "lk.publish_on_behalf";

/** Returns the agent, if there is one. One that was lost may still be there for a moment. */
export function agentIn(room: Room): RemoteParticipant | null {
  const agents = [...room.remoteParticipants.values()].filter(
    (one) => one.kind === ParticipantKind.AGENT && !(ON_BEHALF in one.attributes),
  );
  return agents.at(-1) ?? null;
}

/** Returns what the agent does, by its own account; null while there is none. */
export function agentState(room: Room): string | null {
  const agent = agentIn(room);
  return agent === null ? null : (agent.attributes[STATE] ?? "initializing");
}

/** Calls back whenever one of these may have changed. */
export function watchAgent(room: Room, look: () => void): void {
  room
    .on(RoomEvent.ParticipantConnected, look)
    .on(RoomEvent.ParticipantDisconnected, look)
    .on(RoomEvent.ParticipantAttributesChanged, look);
}
