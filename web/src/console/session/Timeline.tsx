// How the session went, agent by agent: how it came, how fast it answered, what it used, what failed.

import { useCallback } from "react";

import type { AgentRecord } from "../../api/types.ts";
import { usePolled } from "../live/usePolled.ts";
import { words } from "../strings.ts";
import { Errors } from "./Errors.tsx";
import { Loaded } from "./Loaded.tsx";
import { rhythmOf } from "./rhythm.ts";
import type { TabProps } from "./Tabs.tsx";
import { Turns } from "./Turns.tsx";
import { Usage } from "./Usage.tsx";
import { comingOf, meetingOf, type Stage } from "./spans.ts";
import { Waterfall } from "./Waterfall.tsx";

export function Timeline({ admin, sessionId, isSettled }: TabProps) {
  const ask = useCallback((signal: AbortSignal) => admin.session(sessionId).record({ signal }), [admin, sessionId]);
  const [polled] = usePolled(ask, rhythmOf(isSettled));
  return (
    <Loaded polled={polled} loading={words.timeline.loading}>
      {(agents) =>
        agents.length === 0 ? (
          <p className="empty muted">{words.timeline.none}</p>
        ) : (
          // The last one is what one looks for.
          agents
            .toReversed()
            .map((agent, place) => <Agent key={agent.epoch} agent={agent} isHere={place === 0 && !isSettled} />)
        )
      }
    </Loaded>
  );
}

interface AgentProps {
  agent: AgentRecord;
  /** Whether it may be with the session now. */
  isHere: boolean;
}

function Agent({ agent, isHere }: AgentProps) {
  const said = words.timeline;
  const coming = comingOf(agent.timeline);
  const meeting = meetingOf(agent.timeline);
  const end = isHere ? said.atWork : said.lost;
  return (
    <section className="agent" aria-label={said.agent(agent.epoch)}>
      <h3>
        {said.agent(agent.epoch)}
        <span className="muted small">
          {agent.outcome === null ? end : said.outcome(agent.outcome, agent.reason)}
        </span>
      </h3>
      {coming !== null && (
        <Waterfall
          title={said.coming}
          total={coming.last === "published" ? said.total(coming.totalMs) : sofar(coming)}
          stage={coming}
          aheadText={said.clocks}
        />
      )}
      {meeting !== null && (
        <Waterfall title={said.meeting} total={said.total(meeting.totalMs)} stage={meeting} aheadText={said.ahead} />
      )}
      <Errors errors={agent.errors} />
      {agent.turns.length > 0 && <Turns turns={agent.turns} leftOut={agent.turnsLeftOut} />}
      {agent.usage.length > 0 && <Usage usage={agent.usage} />}
    </section>
  );
}

function sofar({ totalMs, last }: Stage): string {
  return words.timeline.sofar(totalMs, words.timeline.moments[last]);
}
