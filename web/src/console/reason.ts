import { VoicefleetError } from "../api/errors.ts";

/** Returns why something failed, to stand within a sentence, with what finds it in the server's log. */
export function reasonOf(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  const message = said.replace(/\.$/, "");
  const requestId = error instanceof VoicefleetError ? error.requestId : null;
  return requestId === null ? message : `${message} (request ${requestId})`;
}
