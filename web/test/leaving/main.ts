// Starts a session, and stops it when the page goes.

import { Voicefleet } from "../../src/api/index.ts";

const session = await new Voicefleet(new URLSearchParams(location.search).get("api") ?? "").start();
addEventListener("pagehide", (event) => {
  // Kept in memory, it may come back, with its call.
  if (!event.persisted) session.leave();
});
// The test looks for it here.
document.body.textContent = `${session.id} ${session.secret}`;
