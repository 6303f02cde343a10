// Starts a session, and stops it when the page goes: over the client, or as `?by=beacon` would.

import { Voicefleet } from "../../src/api/index.ts";

const given = new URLSearchParams(location.search);
const api = given.get("api") ?? "";
const session = await new Voicefleet(api).start();

addEventListener("pagehide", (event) => {
  if (event.persisted) return; // The page may come back, with its call.
  if (given.get("by") !== "beacon") return session.leave();
  const proof = JSON.stringify({ sessionId: session.id, sessionSecret: session.secret });
  navigator.sendBeacon(`${api}/api/session/stop`, new Blob([proof], { type: "application/json" }));
});
// The test looks for it here.
document.body.textContent = `${session.id} ${session.secret}`;
