// What one sees from afar: how many talk, how many wait, what is left, how well it goes.

import type { ReactNode } from "react";

import { latency } from "../../strings.ts";
import { count, percent, roundPercent, shareOf } from "../figures.ts";
import { words } from "../strings.ts";
import type { ErrorBudget, Fleet, History } from "../types.ts";
import { budgetLook } from "./budget.ts";
import { heldOf } from "./counts.ts";
import { Meter } from "./Meter.tsx";

interface TilesProps {
  fleet: Fleet;
  history: History | null;
}

export function Tiles({ fleet, history }: TilesProps) {
  const { sessions, pool, latency: start } = fleet;
  const said = words.overview;
  return (
    <dl className="tiles">
      <Tile name={said.active} value={count(sessions.active)} note={said.activeAbout(sessions.ready)} />
      <Tile
        name={said.starting}
        value={count(sessions.starting)}
        note={said.recovering(sessions.recovering)}
        isNoted={sessions.recovering > 0}
      />
      <QueueTile fleet={fleet} />
      <Tile name={said.pool} value={count(pool.actual)} note={said.poolAbout(pool.target)}>
        {pool.target !== null && (
          <Meter parts={[{ look: "warm", size: pool.actual }]} whole={Math.max(pool.target, pool.actual)} />
        )}
      </Tile>
      <SlotsTile fleet={fleet} />
      <SuccessTile history={history} />
      {fleet.errorBudget && <BudgetTile budget={fleet.errorBudget} />}
      <Tile
        name={said.start}
        value={start.p50 === null ? words.none : latency(start.p50)}
        note={start.p95 === null ? said.noLatency : said.p95(latency(start.p95))}
      />
    </dl>
  );
}

function SuccessTile({ history }: { history: History | null }) {
  const said = words.overview;
  const rate = history?.successRate ?? null;
  const missing = history === null ? words.unknown : said.noStarts;
  return (
    <Tile
      name={said.success}
      value={rate === null ? words.none : percent(rate)}
      note={rate === null ? missing : said.successAbout}
    />
  );
}

function BudgetTile({ budget }: { budget: ErrorBudget }) {
  const { left, burns, isLow } = budgetLook(budget);
  const said = words.overview;
  const all = budget.good + budget.bad;
  const used =
    budget.bad === 0
      ? said.budgetUntouched(budget.windowDays)
      : said.budgetAbout(budget.bad, all, budget.windowDays);
  return (
    <Tile
      name={said.budget}
      value={percent(left)}
      note={burns === null ? used : said.budgetBurns(burns)}
      isNoted={isLow}
    >
      <Meter parts={[{ look: "active", size: left }]} whole={1} />
    </Tile>
  );
}

function QueueTile({ fleet: { sessions, queue } }: { fleet: Fleet }) {
  const length = queue?.length ?? sessions.queued;
  const oldestMs = queue?.oldestWaitMs ?? null;
  const waiting = oldestMs === null ? words.overview.waiting : words.overview.oldest(oldestMs);
  return (
    <Tile
      name={words.overview.queued}
      value={count(length)}
      note={length === 0 ? words.overview.nobody : waiting}
      isNoted={length > 0}
    />
  );
}

function SlotsTile({ fleet: { sessions, capacity } }: { fleet: Fleet }) {
  const held = heldOf(sessions);
  const share = shareOf(held, capacity);
  return (
    <Tile
      name={words.overview.capacity}
      value={share === null ? words.none : roundPercent(share)}
      note={words.overview.slots(held, capacity)}
      isNoted={share !== null && share >= 1}
    >
      <Meter parts={[{ look: "active", size: held }]} whole={capacity} />
    </Tile>
  );
}

interface TileProps {
  name: string;
  value: string;
  note: string;
  /** Whether it is worth a second look. */
  isNoted?: boolean;
  children?: ReactNode;
}

function Tile({ name, value, note, isNoted = false, children }: TileProps) {
  return (
    <div className="card tile" data-noted={isNoted}>
      <dt>{name}</dt>
      <dd className="tile-value">{value}</dd>
      {children && <dd className="tile-meter">{children}</dd>}
      <dd className="tile-note">{note}</dd>
    </div>
  );
}
