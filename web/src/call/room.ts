// What a room tells: whether this browser is in it, whether an agent is, and what that one does.

import { ConnectionState, ParticipantKind, type RemoteParticipant, type Room, RoomEvent } from "livekit-client";

import type { Connection } from "./phase.ts";

export const CONNECTIONS: Readonly<Record<ConnectionState, Connection>> = {
  [ConnectionState.Disconnected]: "none",
  [ConnectionState.Connecting]: "connecting",
  [ConnectionState.Connected]: "connected",
  [ConnectionState.Reconnecting]: "reconnecting",
  [ConnectionState.SignalReconnecting]: "reconnecting",
};

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
