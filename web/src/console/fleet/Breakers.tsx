// Whether neighbours and providers are asked, or left alone for a while.

import { words } from "../strings.ts";
import { breakersOf } from "./breakers.ts";

export function Breakers({ circuits }: { circuits: Record<string, unknown> | null | undefined }) {
  const breakers = breakersOf(circuits);
  if (breakers.length === 0) return null;
  return (
    <div className="breakers">
      <h3 className="muted small">{words.breakers.title}</h3>
      <ul className="breaker-list">
        {breakers.map(({ name, state }) => (
          <li key={name} className="breaker" data-state={state}>
            <span>{words.breakers.names[name] ?? name}</span>
            <strong>{words.breakers.states[state] ?? state}</strong>
          </li>
        ))}
      </ul>
    </div>
  );
}
