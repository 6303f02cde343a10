// One session beside all others: what it is, how it went, what was said, its log.

import { type KeyboardEvent, useCallback, useEffect, useRef } from "react";

import { ApiError } from "../../api/errors.ts";
import { isOver } from "../../api/types.ts";
import { Button } from "../../ui/Button.tsx";
import { useNow } from "../../ui/clock.ts";
import { ActionButton } from "../actions/ActionButton.tsx";
import type { Tab } from "../address/address.ts";
import type { Admin } from "../api.ts";
import type { Rhythm } from "../live/poller.ts";
import { usePolled } from "../live/usePolled.ts";
import { reasonOf } from "../reason.ts";
import { CopyButton } from "../sessions/CopyButton.tsx";
import { StateBadge } from "../sessions/StateBadge.tsx";
import { Part } from "../shell/Part.tsx";
import { words } from "../strings.ts";
import type { SessionRecord } from "../types.ts";
import { Facts } from "./Facts.tsx";
import { Tabs } from "./Tabs.tsx";

const RHYTHM: Rhythm<SessionRecord> = { everyMs: 2_000, isLast: isOver };
/** What its agent wrote down last comes so much later. */
const SETTLED_AFTER_MS = 15_000;

interface PanelProps {
  admin: Admin;
  sessionId: string;
  tab: Tab;
  onTab: (tab: Tab) => void;
  onClose: () => void;
  onChanged: () => void;
}

export function Panel({ admin, sessionId, tab, onTab, onClose, onChanged }: PanelProps) {
  const said = words.session;
  const ask = useCallback((signal: AbortSignal) => admin.look(sessionId, { signal }), [admin, sessionId]);
  const [{ value: view, error }, refresh] = usePolled(ask, RHYTHM);
  const isMissing = error instanceof ApiError && error.status === 404;
  const canStop = view !== null && !isOver(view) && view.status !== "ending";
  const heading = useHeldFocus(canStop);
  const isSettled = useSettled(view);

  const closeOnEscape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.defaultPrevented || isInDialog(event.target)) return;
    event.stopPropagation();
    onClose();
  };
  const stop = async (): Promise<string> => {
    await admin.stop(sessionId);
    refresh();
    onChanged();
    return said.stopped;
  };

  return (
    <aside className="panel" aria-labelledby="session" onKeyDown={closeOnEscape}>
      <div className="panel-head">
        <h2 id="session" tabIndex={-1} ref={heading} className="mono">
          {said.title(sessionId)}
        </h2>
        <CopyButton text={sessionId} label={words.sessions.copy(sessionId)} />
        <Button look="round" icon="close" aria-label={said.close} title={said.close} onClick={onClose} />
      </div>
      {view === null && error === null && <p className="muted">{said.loading}</p>}
      {error !== null && (
        <p className="note" data-look={isMissing ? "warn" : "bad"}>
          {isMissing ? said.missing : said.failed(reasonOf(error))}
        </p>
      )}
      {view !== null && (
        <>
          <div className="panel-state">
            <StateBadge status={view.status} />
            <p>{said.told(view.message)}</p>
            {canStop && <StopButton act={stop} />}
          </div>
          <Part>
            <Facts view={view} />
          </Part>
          <Tabs admin={admin} sessionId={sessionId} tab={tab} isSettled={isSettled} onTab={onTab} />
        </>
      )}
    </aside>
  );
}

function StopButton({ act }: { act: () => Promise<string> }) {
  const said = words.session;
  const question = { title: said.stopTitle, about: said.stopAbout, yes: said.stop, isDangerous: true };
  return (
    <ActionButton look="danger" icon="stop" question={question} act={act}>
      {said.stop}
    </ActionButton>
  );
}

/** Takes the focus to the heading when the panel opens, and when what had it is gone. */
function useHeldFocus(hasStopButton: boolean) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  useEffect(() => {
    if (!hasStopButton && document.activeElement === document.body) heading.current?.focus();
  }, [hasStopButton]);
  return heading;
}

/** Says whether nothing more is written down of a session. */
function useSettled(view: SessionRecord | null): boolean {
  const isDone = view !== null && isOver(view);
  const endedAt = view?.endedAt ?? 0;
  const now = useNow(isDone);
  return isDone && now - endedAt > SETTLED_AFTER_MS;
}

function isInDialog(target: EventTarget): boolean {
  return target instanceof Element && target.closest("dialog") !== null;
}
