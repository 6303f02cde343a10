// The part of the address behind the #: what is shown, so that a reload or a link comes back to it.
// It holds names and ids, and no secrets.
//
//     #session/6f0c…?tab=logs&state=over&worker=w-1

import type { SessionStatus } from "../../api/types.ts";

/** In the order in which a session goes through them. */
export const STATUSES = [
  "queued",
  "starting",
  "ready",
  "active",
  "recovering",
  "ending",
  "ended",
  "failed",
  "expired",
] as const satisfies readonly SessionStatus[];

export const TABS = ["timeline", "transcript", "logs"] as const;

export type StateFilter = SessionStatus | "live" | "over" | "all";
export type Tab = (typeof TABS)[number];

export interface Filters {
  state: StateFilter;
  /** "" is everybody's. */
  user: string;
  worker: string;
}

export interface Address extends Filters {
  sessionId: string | null;
  tab: Tab;
}

export const HOME: Address = { sessionId: null, tab: "timeline", state: "live", user: "", worker: "" };

const FILTERS: ReadonlySet<string> = new Set([...STATUSES, "live", "over", "all"]);
const SESSION_ID = /^[0-9a-f]{32}$/;
const ROOM_PREFIX = "vf-";
// As the API has them.
export const USER_PATTERN = "[A-Za-z0-9_.@:+\\-]{1,128}";
export const WORKER_PATTERN = "[A-Za-z0-9_.\\-]{1,64}";
const USER = new RegExp(`^${USER_PATTERN}$`);
const WORKER = new RegExp(`^${WORKER_PATTERN}$`);

/** Reads an address; what it does not understand is left out. */
export function parseAddress(hash: string): Address {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const [kind, id = ""] = path.split("/", 2);
  const asked = new URLSearchParams(query);
  const state = asked.get("state") ?? "";
  const tab = TABS.find((each) => each === asked.get("tab"));
  return {
    sessionId: kind === "session" ? sessionIdOf(id) : null,
    tab: tab ?? HOME.tab,
    state: FILTERS.has(state) ? (state as StateFilter) : HOME.state,
    user: matching(USER, asked.get("user")),
    worker: matching(WORKER, asked.get("worker")),
  };
}

/** Writes an address, without what goes without saying; "" is where one begins. */
export function formatAddress(address: Address): string {
  const query = new URLSearchParams();
  if (address.sessionId !== null && address.tab !== HOME.tab) query.set("tab", address.tab);
  for (const name of ["state", "user", "worker"] as const) {
    if (address[name] !== HOME[name]) query.set(name, address[name]);
  }
  const path = address.sessionId === null ? "" : `session/${address.sessionId}`;
  const tail = query.size === 0 ? "" : `?${query}`;
  return path + tail === "" ? "" : `#${path}${tail}`;
}

/** Returns the id in what somebody has typed or pasted, a room's name too; null when there is none. */
export function sessionIdOf(text: string): string | null {
  const name = text.trim().toLowerCase();
  const id = name.startsWith(ROOM_PREFIX) ? name.slice(ROOM_PREFIX.length) : name;
  return SESSION_ID.test(id) ? id : null;
}

/** Says whether the API takes a text for the id of a user. */
export function isUser(text: string): boolean {
  return USER.test(text);
}

function matching(pattern: RegExp, text: string | null): string {
  return text !== null && pattern.test(text) ? text : "";
}
