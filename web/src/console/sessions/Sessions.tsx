// The sessions: which there are, by state, user and worker, page by page.

import { Button } from "../../ui/Button.tsx";
import type { Address, Filters } from "../address/address.ts";
import { reasonOf } from "../reason.ts";
import { focusSoon } from "../shell/focus.ts";
import { words } from "../strings.ts";
import type { SessionCounts, Worker } from "../types.ts";
import { FilterForm } from "./FilterForm.tsx";
import { hasPrevious, numberOf } from "./paging.ts";
import { Search } from "./Search.tsx";
import { SessionTable } from "./SessionTable.tsx";
import { StateChoice } from "./StateChoice.tsx";
import { claimedIdOf } from "./users.ts";
import type { SessionList } from "./useSessions.ts";

interface SessionsProps {
  list: SessionList;
  address: Address;
  /** Null until the fleet is known. */
  counts: SessionCounts | null;
  workers: Worker[];
  onFilter: (part: Partial<Filters>) => void;
  onOpen: (sessionId: string) => void;
}

export function Sessions({ list, address, counts, workers, onFilter, onOpen }: SessionsProps) {
  const said = words.sessions;
  const { value, error } = list.polled;
  return (
    <section className="card sessions" aria-labelledby="sessions">
      <div className="card-head">
        <h2 id="sessions" tabIndex={-1}>
          {said.title}
        </h2>
        <Search onOpen={onOpen} />
      </div>
      <StateChoice state={address.state} counts={counts} onState={(state) => onFilter({ state })} />
      <FilterForm user={address.user} worker={address.worker} workers={workers} onFilter={onFilter} />
      {error !== null && (
        <p className="note" data-look="warn">
          {said.failed(reasonOf(error))}
        </p>
      )}
      {value === null && error === null && <p className="muted">{said.loading}</p>}
      {value !== null && (
        <SessionTable
          rows={value.sessions}
          isCurrent={list.polled.isCurrent}
          openedId={address.sessionId}
          empty={<Empty user={address.user} isEnd={value.next === null} onFilter={onFilter} />}
          onOpen={onOpen}
          onUser={(user) => onFilter({ user })}
        />
      )}
      <Turner list={list} />
    </section>
  );
}

interface EmptyProps extends Pick<SessionsProps, "onFilter"> {
  /** Whose sessions were asked for; "" is everybody's. */
  user: string;
  isEnd: boolean;
}

/** Nothing was found; perhaps of a name as it is shown, and not as it is kept. */
function Empty({ user, isEnd, onFilter }: EmptyProps) {
  const said = words.sessions;
  const claimed = claimedIdOf(user);
  return (
    <div className="empty muted">
      <p>{isEnd ? said.none : said.noneHere}</p>
      {claimed !== null && (
        <p>
          {said.claimedAbout(claimed)}{" "}
          <Button
            onClick={() => {
              onFilter({ user: claimed });
              focusSoon("sessions");
            }}
          >
            {said.claimed(claimed)}
          </Button>
        </p>
      )}
    </div>
  );
}

function Turner({ list }: { list: SessionList }) {
  const said = words.sessions;
  const { value, isCurrent } = list.polled;
  const isFirst = !hasPrevious(list.pages);
  const isEnd = !isCurrent || (value?.next ?? null) === null;
  if (isFirst && isCurrent && isEnd) return null;
  // Not disabled at an end: the focus stays where it is.
  return (
    <nav className="turner" aria-label={said.title}>
      <Button icon="previous" aria-disabled={isFirst} onClick={list.onPrevious}>
        {said.previous}
      </Button>
      <span aria-live="polite">{said.page(numberOf(list.pages))}</span>
      <Button icon="next" aria-disabled={isEnd} onClick={list.onNext}>
        {said.next}
      </Button>
    </nav>
  );
}
