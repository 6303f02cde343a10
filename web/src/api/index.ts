// Everything that pages use of the client.

export { Voicefleet, type StartOptions, type VoicefleetOptions } from "./client.ts";
export { ApiError, SessionOver, Unreachable, VoicefleetError } from "./errors.ts";
export { type Cancellable, type FollowOptions, Session, type ViewOptions } from "./session.ts";
export type { TokenSource } from "./transport.ts";
export {
  type AgentRecord,
  type Failure,
  type Health,
  isOver,
  type LogLine,
  type Moment,
  type QueuePlace,
  type SessionStatus,
  type SessionView,
  type Token,
  tokenOf,
  type Turn,
  type TurnTimes,
  type Usage,
} from "./types.ts";
