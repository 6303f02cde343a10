// What went wrong, what to do about it, and when it may be tried again.

import type { Trouble } from "../call/trouble.ts";
import { strings } from "../strings.ts";
import { Button } from "../ui/Button.tsx";
import { useNow } from "../ui/clock.ts";
import { useFocusAfter } from "../ui/focus.ts";
import { STAGE } from "./Stage.tsx";

interface TroubleNoteProps {
  trouble: Trouble;
  /** Left out where there is nothing to try again. */
  onRetry?: (() => void) | undefined;
  retryLabel?: string;
}

export function TroubleNote({ trouble, onRetry, retryLabel = strings.trouble.retry }: TroubleNoteProps) {
  const { title, next } = strings.troubles[trouble.kind];
  const isHindrance = trouble.kind.startsWith("microphone");
  const place = useFocusAfter<HTMLDivElement>(STAGE);
  return (
    <div className="note" data-look={isHindrance ? "warn" : "bad"} data-trouble={trouble.kind} ref={place}>
      <div role="alert">
        <h2>{title}</h2>
        {trouble.detail !== null && <p>{trouble.detail}</p>}
        <p>{next}</p>
      </div>
      {trouble.requestId !== null && <p className="muted small">{strings.trouble.request(trouble.requestId)}</p>}
      {onRetry && <Retry at={trouble.retryAt} label={retryLabel} onRetry={onRetry} />}
    </div>
  );
}

/** A button that can be pressed once the time is up that the server has asked for. */
function Retry({ at, label, onRetry }: { at: number | null; label: string; onRetry: () => void }) {
  const now = useNow(at !== null);
  const left = at === null ? 0 : Math.ceil((at - now) / 1000);
  return (
    <p>
      <Button icon="refresh" disabled={left > 0} onClick={onRetry}>
        {left > 0 ? strings.trouble.retryAfter(left) : label}
      </Button>
    </p>
  );
}
