import type { SessionStatus } from "../../api/types.ts";
import { words } from "../strings.ts";

const LOOKS: Record<SessionStatus, "good" | "warn" | "bad" | "plain" | "accent"> = {
  queued: "warn",
  starting: "accent",
  ready: "accent",
  active: "good",
  recovering: "warn",
  ending: "plain",
  ended: "plain",
  failed: "bad",
  expired: "plain",
};

/** A state in its word; the colour only helps to find it. */
export function StateBadge({ status }: { status: SessionStatus }) {
  return (
    <span className="badge" data-look={LOOKS[status]}>
      {words.sessions.statuses[status]}
    </span>
  );
}
