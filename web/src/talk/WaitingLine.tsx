// The user's place in line, and how long it may take, counted down between two answers.

import { secondsLeft } from "../call/latencies.ts";
import { useCallState } from "../call/useCall.ts";
import { strings } from "../strings.ts";
import { useNow } from "../ui/clock.ts";

export function WaitingLine() {
  const queue = useCallState((state) => state.queue);
  const now = useNow();
  if (queue === null) return null;
  return (
    <div className="note" data-queue={queue.position}>
      <p>
        <strong>{strings.queue.place(queue.position)}</strong>
      </p>
      {/* A countdown that was read aloud each second would drown all else. */}
      <p>{etaWords(secondsLeft(queue, now))}</p>
      <p className="muted small">{strings.queue.about}</p>
    </div>
  );
}

function etaWords(left: number | null): string {
  if (left === null) return strings.queue.unknown;
  return left < 1 ? strings.queue.soon : strings.queue.eta(left);
}
