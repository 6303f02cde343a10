// Whether neighbours and providers are asked, or left alone for a while.

import { hourAndMinute } from "../figures.ts";
import { words } from "../strings.ts";
import type { Circuits } from "../types.ts";
import { type Breaker, breakersOf } from "./circuits.ts";

export function Breakers({ circuits }: { circuits: Circuits | null | undefined }) {
  const breakers = breakersOf(circuits);
  if (breakers.length === 0) return null;
  return (
    <div className="breakers">
      <h3 className="muted small">{words.breakers.title}</h3>
      <ul className="breaker-list">
        {breakers.map((breaker) => (
          <li key={breaker.name} className="breaker" data-state={breaker.state}>
            <span>{words.breakers.names[breaker.name] ?? breaker.name}</span>
            <strong>{words.breakers.states[breaker.state] ?? breaker.state}</strong>
            <Times breaker={breaker} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Times({ breaker: { since, until } }: { breaker: Breaker }) {
  if (since === null) return null;
  const said = words.breakers;
  const end = until === null ? "" : ` ${said.until(hourAndMinute(until))}`;
  return <span>{said.since(hourAndMinute(since)) + end}</span>;
}
