// For who wants to know: the session's name, and how long everything took.

import { useEffect, useState } from "react";

import type { AgentRecord } from "../api/index.ts";
import { answersOf, marksSince, median } from "../call/latencies.ts";
import { useCall, useCallState } from "../call/useCall.ts";
import { latency, strings } from "../strings.ts";

/** Agents write down what their turns took a few seconds later. */
const EVERY_MS = 5_000;
/** The last of it is written by then. */
const SETTLED_AFTER_MS = 15_000;

export function Details() {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details className="details" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>{strings.details.title}</summary>
      {isOpen && <Facts />}
    </details>
  );
}

function Facts() {
  const id = useCallState((state) => state.sessionId);
  const marks = useCallState((state) => state.marks);
  const view = useCallState((state) => state.view);
  const startedAt = view?.createdAt ?? marks.asked;
  const startup = view?.startupTime ?? null;
  const startupMs = startup === null ? null : startup * 1000;
  const answers = answersOf(useRecord());
  const took = marksSince(marks);
  const words = strings.details;
  const rows: [string, string | null][] = [
    [words.id, id],
    [words.started, startedAt === null ? null : new Date(startedAt).toLocaleString()],
    [words.answered, ms(took.answered)],
    [words.connected, ms(took.connected)],
    [words.agentCame, ms(took.agentCame)],
    [words.agentSpoke, ms(took.agentSpoke)],
    [words.startup, ms(startupMs)],
    [words.prewarmed, yesOrNo(view?.prewarmed ?? null)],
    [words.answers, answers.length === 0 ? null : words.answersValue(latency(median(answers)), answers.length)],
  ];
  return (
    <dl>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value ?? words.unknown}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Returns what the agents have written down so far. */
function useRecord(): readonly AgentRecord[] {
  const call = useCall();
  const isOver = useCallState((state) => state.isOver);
  const [agents, setAgents] = useState<readonly AgentRecord[]>([]);
  useEffect(() => {
    const asking = new AbortController();
    const ask = (): void => {
      // Figures are no reason to disturb a call: what does not come is "not known".
      call.handle?.record({ signal: asking.signal }).then(setAgents, () => undefined);
    };
    ask();
    const timer = setInterval(ask, EVERY_MS);
    const last = isOver ? setTimeout(() => clearInterval(timer), SETTLED_AFTER_MS) : undefined;
    return () => {
      clearTimeout(last);
      clearInterval(timer);
      asking.abort();
    };
  }, [call, isOver]);
  return agents;
}

function yesOrNo(value: boolean | null): string | null {
  if (value === null) return null;
  return value ? strings.details.yes : strings.details.no;
}

function ms(value: number | null): string | null {
  return value === null ? null : latency(value);
}
