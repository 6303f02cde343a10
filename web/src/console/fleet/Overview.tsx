// The top of the wall.

import type { Polled } from "../live/poller.ts";
import { words } from "../strings.ts";
import type { Fleet, History } from "../types.ts";
import { Alerts } from "./Alerts.tsx";
import { Breakers } from "./Breakers.tsx";
import { Tiles } from "./Tiles.tsx";

interface OverviewProps {
  fleet: Polled<Fleet>;
  history: History | null;
}

export function Overview({ fleet: { value, error }, history }: OverviewProps) {
  return (
    <section className="overview" aria-labelledby="overview" data-stale={error !== null}>
      <h2 id="overview" tabIndex={-1} className="hidden">
        {words.overview.title}
      </h2>
      <div className="strip">
        {value !== null && <Alerts alerts={value.alerts} isFresh={error === null} />}
        {value !== null && error === null && <Breakers circuits={value.circuits} />}
      </div>
      {value !== null && <Tiles fleet={value} history={history} />}
    </section>
  );
}
