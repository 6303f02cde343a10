// What was said.

import { useCallback } from "react";

import { usePolled } from "../live/usePolled.ts";
import { clock } from "../figures.ts";
import { words } from "../strings.ts";
import { Followed } from "./Followed.tsx";
import { Loaded } from "./Loaded.tsx";
import { rhythmOf } from "./rhythm.ts";
import type { TabProps } from "./Tabs.tsx";

export function Transcript({ admin, sessionId, isSettled }: TabProps) {
  const ask = useCallback((signal: AbortSignal) => admin.session(sessionId).transcript({ signal }), [admin, sessionId]);
  const [polled] = usePolled(ask, rhythmOf(isSettled));
  return (
    <Loaded polled={polled} loading={words.transcript.loading}>
      {(turns) =>
        turns.length === 0 ? (
          <p className="empty muted">{words.transcript.none}</p>
        ) : (
          <Followed label={words.session.tabs.transcript} content={turns} className="transcript">
            <ol>
              {turns.map((turn, place) => (
                <li key={`${turn.at} ${place}`} className="turn" data-role={turn.role}>
                  <p className="muted small">
                    <strong>{words.timeline.roles[turn.role]}</strong> <time>{clock(turn.at)}</time>
                  </p>
                  <p>{turn.text}</p>
                </li>
              ))}
            </ol>
          </Followed>
        )
      }
    </Loaded>
  );
}
