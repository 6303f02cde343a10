// Fetches tokens the way an app does, with livekit-client's own TokenSource.endpoint.
//
//     node token_source.mjs URL < options.json
//
// The input is a list of TokenSource fetch options, fetched one after the other from one source.
// The output is a list of what came of each: the answer and the claims as the client understands
// them, or the message of the error it threw; and how many requests had been sent by then.

import { text } from "node:stream/consumers";
import { TokenSource } from "livekit-client";

const url = process.argv[2];
if (url === undefined) throw new Error("the URL is missing");

let requests = 0;
const realFetch = globalThis.fetch;
globalThis.fetch = (/** @type {Parameters<typeof fetch>} */ ...given) => {
  requests += 1;
  return realFetch(...given);
};

const source = TokenSource.endpoint(url);
const outcomes = [];
for (const options of JSON.parse(await text(process.stdin))) {
  try {
    const answer = await source.fetch(options);
    outcomes.push({ answer, claims: source.getCachedResponseJwtPayload(), requests });
  } catch (error) {
    outcomes.push({ error: error instanceof Error ? error.message : String(error), requests });
  }
}
process.stdout.write(JSON.stringify(outcomes));
