// The session's log, as its agents and servers wrote it.

import { useCallback } from "react";

import type { LogLine } from "../../api/types.ts";
import { usePolled } from "../live/usePolled.ts";
import { preciseClock } from "../figures.ts";
import { words } from "../strings.ts";
import { Followed } from "./Followed.tsx";
import { Loaded } from "./Loaded.tsx";
import { rhythmOf } from "./rhythm.ts";
import type { TabProps } from "./Tabs.tsx";

export function Logs({ admin, sessionId, isSettled }: TabProps) {
  const ask = useCallback((signal: AbortSignal) => admin.session(sessionId).logs({ signal }), [admin, sessionId]);
  const [polled] = usePolled(ask, rhythmOf(isSettled));
  return (
    <Loaded polled={polled} loading={words.logs.loading}>
      {(lines) =>
        lines.length === 0 ? (
          <p className="empty muted">{words.logs.none}</p>
        ) : (
          <>
            <p className="muted small">{words.logs.about}</p>
            <Followed label={words.session.tabs.logs} content={lines} className="log mono">
              <ol>
                {lines.map((line, place) => (
                  <Line key={`${line.at} ${place}`} line={line} />
                ))}
              </ol>
            </Followed>
          </>
        )
      }
    </Loaded>
  );
}

function Line({ line: { at, level, text } }: { line: LogLine }) {
  return (
    <li className="log-line" data-level={level}>
      <time className="muted">{preciseClock(at)}</time>
      <span className="log-level">{level}</span>
      <span className="log-text">{text}</span>
    </li>
  );
}
