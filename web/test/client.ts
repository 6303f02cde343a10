// Uses the TypeScript client the way the page does, one step after the other.
//
//     node client.ts URL COUNT
//
// Starts COUNT sessions, follows the last one through the queue until it is admitted, stops all,
// and prints what it saw, as JSON.

import { ApiError, Unreachable, Voicefleet } from "../src/api/index.ts";

const [, , url = "", count = "1"] = process.argv;
const fleet = new Voicefleet(url);
const sessions = [];
for (let number = 0; number < Number(count); number += 1) sessions.push(await fleet.start());
const first = sessions[0];
const last = sessions.at(-1);
if (first === undefined || last === undefined) throw new Error("COUNT must be 1 or more");

const views = last.follow();
const statuses: string[] = [(await views.next()).value?.status ?? "nothing"];
const followed = (async () => {
  for await (const view of views) if (statuses.at(-1) !== view.status) statuses.push(view.status);
})();
const waited = last.queue;
if (last !== first) await first.stop();
const token = await last.admitted();
const seen = await last.view({ waitSeconds: 0 });
const fresh = await last.freshToken();
const logs = await last.logs();
const turns = await last.transcript();
const record = await last.record();
for (const session of sessions) await session.stop();
await followed;

const refused = await fleet.session(last.id, "wrong").view().catch((error: unknown) => error);
const nobody = await new Voicefleet("http://127.0.0.1:9").start().catch((error: unknown) => error);
process.stdout.write(
  JSON.stringify({
    waited,
    statuses,
    joins: [token, fresh].every((each) => each.participantToken.split(".").length === 3),
    revision: seen.revision,
    logs,
    turns,
    record,
    refused: refused instanceof ApiError ? { status: refused.status, code: refused.code } : String(refused),
    nobody: nobody instanceof Unreachable,
  }),
);
