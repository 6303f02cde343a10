// Which states are shown, each with how many sessions are in it.

import { type StateFilter, STATUSES } from "../address/address.ts";
import { count } from "../figures.ts";
import { countOf } from "../fleet/counts.ts";
import { words } from "../strings.ts";
import type { SessionCounts } from "../types.ts";

interface StateChoiceProps {
  state: StateFilter;
  counts: SessionCounts | null;
  onState: (state: StateFilter) => void;
}

const LIVE: StateFilter[] = ["live", ...STATUSES.slice(0, 5)];
const OVER: StateFilter[] = ["over", ...STATUSES.slice(5)];

export function StateChoice({ state, counts, onState }: StateChoiceProps) {
  return (
    <div className="states" role="group" aria-label={words.sessions.states}>
      {[LIVE, OVER, ["all"] as StateFilter[]].map((group) => (
        <div key={group[0]} className="state-group">
          {group.map((each) => (
            <button
              key={each}
              type="button"
              className="chip"
              aria-pressed={each === state}
              onClick={() => onState(each)}
            >
              {words.sessions.filters[each]}
              {counts !== null && <span className="chip-count">{count(countOf(each, counts))}</span>}
            </button>
          ))}
        </div>
      ))}
    </div>
  );
}
