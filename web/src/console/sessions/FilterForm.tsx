// Whose sessions, and those of which worker.

import { type SubmitEvent, useId, useState } from "react";

import { Button } from "../../ui/Button.tsx";
import { type Filters, USER_PATTERN, WORKER_PATTERN } from "../address/address.ts";
import { words } from "../strings.ts";
import type { Worker } from "../types.ts";

interface FilterFormProps {
  user: string;
  worker: string;
  workers: Worker[];
  onFilter: (part: Partial<Filters>) => void;
}

export function FilterForm({ user, worker, workers, onFilter }: FilterFormProps) {
  const said = words.sessions;
  const id = useId();
  // What is typed holds until other filters are chosen, here or elsewhere.
  const chosen = JSON.stringify([user, worker]);
  const [draft, setDraft] = useState({ chosen, user, worker });
  const typed = draft.chosen === chosen ? draft : { chosen, user, worker };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    onFilter({ user: typed.user.trim(), worker: typed.worker.trim() });
  };
  return (
    <form className="filters" onSubmit={submit}>
      <label className="inline-field">
        <span>{said.user}</span>
        <input
          className="input"
          name="user"
          value={typed.user}
          onChange={(event) => setDraft({ ...typed, user: event.target.value })}
          pattern={USER_PATTERN}
          title={said.userAbout}
          autoComplete="off"
          spellCheck={false}
        />
      </label>
      <label className="inline-field">
        <span>{said.worker}</span>
        <input
          className="input"
          name="worker"
          value={typed.worker}
          onChange={(event) => setDraft({ ...typed, worker: event.target.value })}
          pattern={WORKER_PATTERN}
          title={said.workerAbout}
          list={`${id}-workers`}
          autoComplete="off"
          spellCheck={false}
        />
        <datalist id={`${id}-workers`}>
          {workers.map((each) => (
            <option key={each.id} value={each.id} />
          ))}
        </datalist>
      </label>
      <Button type="submit">{said.apply}</Button>
      {(user !== "" || worker !== "") && (
        <Button icon="close" onClick={() => onFilter({ user: "", worker: "" })}>
          {said.clear}
        </Button>
      )}
    </form>
  );
}
