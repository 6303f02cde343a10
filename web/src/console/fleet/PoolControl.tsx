// The warm processes: how many there are and what they are good for; how many there shall be.

import { type SubmitEvent, useId, useState } from "react";

import { Button } from "../../ui/Button.tsx";
import { OutcomeText } from "../actions/ActionButton.tsx";
import { Confirm, type Question } from "../actions/Confirm.tsx";
import { useAction } from "../actions/useAction.ts";
import type { Admin } from "../api.ts";
import { count, percent } from "../figures.ts";
import { FactList } from "../shell/FactList.tsx";
import { words } from "../strings.ts";
import type { Pool, PoolTuning } from "../types.ts";
import { reasonOf, warmHitRate } from "./counts.ts";
import { clampSize, MOST, sizeOf } from "./poolSize.ts";

interface PoolControlProps {
  admin: Admin;
  pool: Pool;
  onChanged: () => void;
}

export function PoolControl({ admin, pool, onChanged }: PoolControlProps) {
  return (
    <section className="card pool" aria-labelledby="pool">
      <h2 id="pool">{words.pool.title}</h2>
      <PoolFacts pool={pool} />
      {pool.tuning && <Reason tuning={pool.tuning} />}
      <Resize admin={admin} pool={pool} onChanged={onChanged} />
    </section>
  );
}

function PoolFacts({ pool }: { pool: Pool }) {
  const said = words.pool;
  const rate = warmHitRate(pool);
  const facts = [
    [said.actual, count(pool.actual)],
    [said.target, pool.target === null ? said.unset : count(pool.target)],
    [said.tuned, pool.tuning ? count(pool.tuning.size) : said.untuned],
    [said.hitRate, rate === null ? words.none : percent(rate)],
    [said.assigned, count(pool.totalAssigned)],
    [said.cold, count(pool.totalCold)],
    [said.spawned, count(pool.totalSpawned)],
  ] as const;
  return <FactList facts={facts} />;
}

/** Why the traffic asks for that many: for who wonders. */
function Reason({ tuning }: { tuning: PoolTuning }) {
  return (
    <details className="reason small">
      <summary>{words.pool.whyTitle(tuning.size)}</summary>
      <p className="muted">{reasonOf(tuning)}</p>
    </details>
  );
}

interface Change {
  from: number;
  /** Null: there shall be no target any more. */
  to: number | null;
}

function Resize({ admin, pool, onChanged }: PoolControlProps) {
  const said = words.pool;
  const now = pool.target ?? pool.actual;
  /** What was typed; null while the field shows what the server says. */
  const [draft, setDraft] = useState<string | null>(null);
  /** What is asked to be confirmed, as it was then. */
  const [asked, setAsked] = useState<Change | null>(null);
  const { isRunning, outcome, run } = useAction();
  const size = sizeOf(draft ?? String(now));

  const apply = (to: number | null): void => {
    void run(async () => {
      const resized = await admin.resizePool(to);
      setDraft(null);
      onChanged();
      return said.resized(resized.target);
    });
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (size === null || isRunning) return;
    if (size < now) setAsked({ from: now, to: size });
    else apply(size);
  };
  const canClear = pool.target !== null && !isRunning;

  return (
    <form className="resize" onSubmit={submit} noValidate>
      {pool.target === null && <p className="muted small">{said.unsetAbout}</p>}
      <SizeField text={draft ?? String(now)} size={size} now={now} isRunning={isRunning} onTyped={setDraft} />
      {/* Not gone without a target: it would take the focus along. */}
      <Button aria-disabled={!canClear} onClick={() => canClear && setAsked({ from: now, to: null })}>
        {said.clear}
      </Button>
      <OutcomeText outcome={outcome} />
      {asked && <Confirm {...questionOf(asked)} onYes={() => apply(asked.to)} onClose={() => setAsked(null)} />}
    </form>
  );
}

function questionOf({ from, to }: Change): Question {
  const said = words.pool;
  const about =
    to === null
      ? { title: said.clearTitle, about: said.clearAbout(from), yes: said.clear }
      : { title: said.shrinkTitle(to), about: said.shrinkAbout(from, to), yes: said.shrink };
  return { ...about, isDangerous: true };
}

interface SizeFieldProps {
  text: string;
  /** The number that the text is; null when it is none to apply. */
  size: number | null;
  now: number;
  isRunning: boolean;
  onTyped: (text: string) => void;
}

function SizeField({ text, size, now, isRunning, onTyped }: SizeFieldProps) {
  const said = words.pool;
  const id = useId();
  const step = (by: number): void => onTyped(String(clampSize((size ?? now) + by)));
  return (
    <>
      <label htmlFor={`${id}-size`}>{said.resize}</label>
      <div className="resize-row">
        <Button look="round" icon="minus" aria-label={said.less} aria-disabled={size === 0} onClick={() => step(-1)} />
        <input
          id={`${id}-size`}
          className="input number"
          inputMode="numeric"
          autoComplete="off"
          value={text}
          aria-invalid={size === null}
          aria-describedby={`${id}-bounds`}
          onChange={(event) => onTyped(event.target.value)}
        />
        <Button look="round" icon="plus" aria-label={said.more} aria-disabled={size === MOST} onClick={() => step(1)} />
        <Button type="submit" look="main" aria-disabled={isRunning || size === null}>
          {isRunning ? words.actions.running : said.apply}
        </Button>
      </div>
      <p id={`${id}-bounds`} className={size === null ? "outcome" : "muted small"} data-look="bad">
        {said.bounds(0, MOST)}
      </p>
    </>
  );
}
