// The sessions of one page, a row each.

import type { MouseEvent, ReactNode } from "react";

import { duration, latency } from "../../strings.ts";
import { useNow } from "../../ui/clock.ts";
import { secondsSince } from "../live/freshness.ts";
import { words } from "../strings.ts";
import type { SessionRecord } from "../types.ts";
import { CopyButton } from "./CopyButton.tsx";
import { StateBadge } from "./StateBadge.tsx";
import { userNameOf } from "./users.ts";

interface SessionTableProps {
  rows: SessionRecord[];
  /** Whether these rows are what was asked for last. */
  isCurrent: boolean;
  openedId: string | null;
  /** What is shown when there are no rows. */
  empty: ReactNode;
  onOpen: (sessionId: string) => void;
  /** Shows the sessions of a user. */
  onUser: (userId: string) => void;
}

const SHORT_ID_CHARS = 8;
/** Those that narrow pages leave out; the session itself tells them. */
const COLUMNS = [
  ["id", ""],
  ["user", ""],
  ["state", ""],
  ["worker", "wide"],
  ["persona", "wider"],
  ["age", "number"],
  ["start", "number wide"],
  ["agents", "number wider"],
  ["reason", "wider"],
] as const;

/** Returns the id of the button that opens a session. */
export function openerOf(sessionId: string): string {
  return `open-${sessionId}`;
}

export function SessionTable({ rows, isCurrent, openedId, empty, onOpen, onUser }: SessionTableProps) {
  const now = useNow();
  const said = words.sessions;
  if (rows.length === 0) return empty;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={said.title} aria-busy={!isCurrent}>
      <table className="table session-table">
        <caption className="hidden">{said.title}</caption>
        <thead>
          <tr>
            {COLUMNS.map(([name, kind]) => (
              <th key={name} scope="col" className={kind}>
                {said.columns[name]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.sessionId} {...{ row, now, onOpen, onUser }} isOpened={row.sessionId === openedId} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps extends Pick<SessionTableProps, "onOpen" | "onUser"> {
  row: SessionRecord;
  now: number;
  isOpened: boolean;
}

function Row({ row, now, isOpened, onOpen, onUser }: RowProps) {
  const said = words.sessions;
  const id = row.sessionId;
  // A mouse may hit anywhere in the row; keys have the button in its first cell.
  const openUnlessBusy = (event: MouseEvent): void => {
    const isOther = (event.target as Element).closest("button") !== null || getSelection()?.isCollapsed === false;
    if (!isOther) onOpen(id);
  };
  return (
    <tr className="row" aria-current={isOpened} onClick={openUnlessBusy}>
      <th scope="row" className="id-cell">
        <button
          type="button"
          id={openerOf(id)}
          className="link mono"
          aria-label={said.open(id.slice(0, SHORT_ID_CHARS))}
          onClick={() => onOpen(id)}
        >
          {id.slice(0, SHORT_ID_CHARS)}
        </button>
        <CopyButton text={id} label={said.copy(id)} />
      </th>
      <td className="clip">{row.userId === null ? words.none : <User id={row.userId} onUser={onUser} />}</td>
      <td>
        <StateBadge status={row.status} />
      </td>
      <td className="clip wide mono">{row.workerId ?? words.none}</td>
      <td className="clip wider">{row.persona ?? words.none}</td>
      <td className="number">{duration(secondsSince(row.createdAt, now))}</td>
      <td className="number wide">{row.startupTime === null ? words.none : latency(1000 * row.startupTime)}</td>
      <td className="number wider">{said.agents(row.epoch, row.losses)}</td>
      <td className="clip wider">{row.error?.message ?? row.reason ?? words.none}</td>
    </tr>
  );
}

/** Nobody has proved who they are unless an identity provider did: the name comes first, and that after it. */
function User({ id, onUser }: { id: string } & Pick<SessionTableProps, "onUser">) {
  const { name, isProved } = userNameOf(id);
  return (
    <button type="button" className="link user-link" title={words.sessions.sessionsOf(id)} onClick={() => onUser(id)}>
      {name} {!isProved && <span className="muted small">{words.sessions.unverified}</span>}
    </button>
  );
}
