// The workers: what each can take, what it has, and the order to take no more.

import { useNow } from "../../ui/clock.ts";
import { ActionButton } from "../actions/ActionButton.tsx";
import type { Admin } from "../api.ts";
import { roundPercent } from "../figures.ts";
import { secondsSince } from "../live/freshness.ts";
import { words } from "../strings.ts";
import type { Scaling, Worker } from "../types.ts";
import { placesOf, placesOfAll } from "./counts.ts";
import { Meter } from "./Meter.tsx";

interface WorkersProps {
  admin: Admin;
  workers: Worker[];
  /** Missing from older servers. */
  scaling: Scaling | null | undefined;
  onChanged: () => void;
  /** Shows the sessions of a worker. */
  onSessions: (workerId: string) => void;
}

export function Workers({ admin, workers, scaling, onChanged, onSessions }: WorkersProps) {
  const now = useNow();
  const said = words.workers;
  const { warm, cold } = placesOfAll(workers);
  return (
    <section className="card workers" aria-labelledby="workers">
      <div className="card-head">
        <h2 id="workers" tabIndex={-1}>
          {said.title}
        </h2>
        <p className="muted">{said.summary(workers.length, warm + cold)}</p>
        <Legend />
      </div>
      {scaling && <p className="muted">{said.scaling(scaling)}</p>}
      {workers.length === 0 ? (
        <p className="note" data-look="warn">
          {said.none}
        </p>
      ) : (
        <div className="scroll" tabIndex={0} role="group" aria-label={said.title}>
          <table className="table">
            <caption className="hidden">{said.title}</caption>
            <thead>
              <tr>
                <th scope="col">{said.id}</th>
                <th scope="col">{said.places}</th>
                <th scope="col" className="number wide">
                  {said.load}
                </th>
                <th scope="col" className="number wide">
                  {said.seen}
                </th>
                <th scope="col">{said.state}</th>
              </tr>
            </thead>
            <tbody>
              {workers.map((worker) => (
                <WorkerRow key={worker.id} {...{ admin, worker, now, onChanged, onSessions }} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

interface WorkerRowProps extends Omit<WorkersProps, "workers" | "scaling"> {
  worker: Worker;
  now: number;
}

function WorkerRow({ admin, worker, now, onChanged, onSessions }: WorkerRowProps) {
  const said = words.workers;
  const { active, warm, capacity } = placesOf(worker);
  return (
    <tr data-draining={worker.draining}>
      <th scope="row">
        <button
          type="button"
          className="link mono"
          aria-label={said.sessionsOf(worker.id)}
          title={said.sessionsOf(worker.id)}
          onClick={() => onSessions(worker.id)}
        >
          {worker.id}
        </button>
        <span className="below muted">
          {worker.host} · {worker.version}
        </span>
      </th>
      <td className="places">
        <Meter
          parts={[
            { look: "active", size: active },
            { look: "warm", size: warm },
          ]}
          whole={capacity}
        />
        <span className="below">{said.used(active, warm, capacity)}</span>
      </td>
      <td className="number wide">{roundPercent(worker.load)}</td>
      <td className="number wide">{said.ago(secondsSince(worker.seenAt, now))}</td>
      <td>
        <div className="worker-state">
          <span className="badge" data-look={worker.draining ? "warn" : active >= capacity ? "plain" : "good"}>
            {worker.draining ? (worker.surplus ? said.surplus : said.drains) : active >= capacity ? said.full : said.takes}
          </span>
          <Orders admin={admin} worker={worker} onChanged={onChanged} />
        </div>
      </td>
    </tr>
  );
}

function Orders({ admin, worker, onChanged }: Pick<WorkerRowProps, "admin" | "worker" | "onChanged">) {
  const said = words.workers;
  const { id, draining, active } = worker;
  const order = async (): Promise<string> => {
    const isNew = await admin.drain(id, !draining);
    onChanged();
    return draining ? said.resumed(id, isNew) : said.drained(id, isNew);
  };
  const question = draining
    ? { title: said.resumeTitle(id), about: said.resumeAbout, yes: said.resume }
    : { title: said.drainTitle(id), about: said.drainAbout(active), yes: said.drain, isDangerous: true };
  return (
    <ActionButton icon={draining ? "play" : "pause"} question={question} act={order}>
      {draining ? said.resume : said.drain}
      <span className="hidden"> {id}</span>
    </ActionButton>
  );
}

function Legend() {
  return (
    <ul className="legend muted small" aria-hidden="true">
      {(["active", "warm", "cold"] as const).map((look) => (
        <li key={look}>
          <span className="swatch" data-look={look} />
          {words.workers.legend[look]}
        </li>
      ))}
    </ul>
  );
}
