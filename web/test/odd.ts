// Uses the TypeScript client once, and tells what came of it, as JSON.
//
//     node odd.ts URL '{"do": "follow", "patienceSeconds": 1}'

import { type Session, SessionOver, Voicefleet, VoicefleetError } from "../src/api/index.ts";

interface Wish {
  do: "follow" | "start" | "view" | "stop" | "freshToken" | "admitted" | "health" | "leave";
  id?: string;
  secret?: string | null;
  token?: string;
  /** Makes the token with a function, now or later. */
  tokenBy?: "function" | "promise" | "never";
  patienceSeconds?: number;
  timeoutSeconds?: number;
  waitSeconds?: number;
  since?: number;
  /** Aborts the call after this. */
  abortMs?: number;
  /** How many views to follow at most. */
  views?: number;
  /** How much faster time goes, for what takes a minute. */
  haste?: number;
}

const [, , url = "", wishes = "{}"] = process.argv;
const wish = JSON.parse(wishes) as Wish;
const { haste = 1, token = "" } = wish;
if (haste !== 1) {
  const [later, now] = [globalThis.setTimeout, performance.now.bind(performance)];
  performance.now = () => now() * haste;
  globalThis.setTimeout = ((run: () => void, ms = 0) => later(run, ms / haste)) as typeof setTimeout;
}
const sources = {
  function: () => token,
  promise: () => Promise.resolve(token),
  never: () => new Promise<string>(() => undefined),
};
const source = wish.tokenBy === undefined ? wish.token : sources[wish.tokenBy];
const fleet = new Voicefleet(url, {
  ...(source === undefined ? {} : { token: source }),
  ...(wish.timeoutSeconds === undefined ? {} : { timeoutSeconds: wish.timeoutSeconds }),
});
const session = fleet.session(wish.id ?? "6f0c1b7e9a2d4c538e17d0b4a95f3c62", wish.secret);
const signal = wish.abortMs === undefined ? undefined : AbortSignal.timeout(wish.abortMs);
const follow = { signal, ...(wish.patienceSeconds === undefined ? {} : { patienceSeconds: wish.patienceSeconds }) };
const view = {
  signal,
  ...(wish.waitSeconds === undefined ? {} : { waitSeconds: wish.waitSeconds }),
  ...(wish.since === undefined ? {} : { since: wish.since }),
};

const views: { status: string; message: string; revision: number }[] = [];
const began = Date.now();
let [value, error]: unknown[] = [null, null];
try {
  value = await done();
} catch (thrown) {
  error = told(thrown);
}
process.stdout.write(JSON.stringify({ views, value, error, tookSeconds: (Date.now() - began) / 1000 }));
// Nothing of ours may keep a program from its end.

async function done(): Promise<unknown> {
  switch (wish.do) {
    case "follow":
      for await (const { status, message, revision } of session.follow(follow)) {
        views.push({ status, message, revision });
        if (views.length === wish.views) break;
      }
      return null;
    case "start":
      return ids(await fleet.start({ signal }));
    case "view":
      return session.view(view);
    case "health":
      return fleet.health({ signal });
    case "leave":
      session.leave();
      return null;
    default:
      return session[wish.do]({ signal });
  }
}

function ids({ id, secret }: Session): unknown {
  return { id, secret };
}

function told(thrown: unknown): unknown {
  const { name, message } = thrown as Error;
  const view = thrown instanceof SessionOver ? thrown.view : undefined;
  return { isOurs: thrown instanceof VoicefleetError, ...(thrown as object), name, message, view };
}
