// Reads answers: never more than one of ours can be, and only what ours have.

import { ApiError, Unreachable } from "./errors.ts";

/** The longest of ours are some hundred turns. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/**
 * Reads an answer that is an object with these fields; throws ApiError for a refusal, Unreachable
 * for what is none of ours. With `isAnyStatus`, what is not shaped as a refusal is none.
 */
export async function valueOf<T extends object>(
  response: Response,
  fields: readonly (keyof T & string)[],
  isAnyStatus = false,
): Promise<T> {
  const value = parsed(await textOf(response));
  if (!response.ok && !(isAnyStatus && value !== null && !("error" in value))) throw refusalOf(response, value);
  if (value === null || !fields.every((field) => field in value)) throw notOurs(response.status);
  return value as T;
}

/** Yields the pieces of a body as they come. Reads by hand: not every browser can iterate over one. */
export async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw error instanceof Unreachable ? error : new Unreachable("the answer broke off", { cause: error });
  } finally {
    // Not waited for: nobody knows when a dead connection is done with it.
    reader.cancel().catch(() => undefined);
  }
}

/** Reads JSON; null for what is none, and for what is no object. */
export function parsed(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

export function notOurs(status?: number, retryAfterSeconds: number | null = null): Unreachable {
  const said = status === undefined ? "" : ` with ${status}`;
  const told = status === undefined ? {} : { status };
  return new Unreachable(`something answered${said}, but not Voicefleet`, { ...told, retryAfterSeconds });
}

async function textOf(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const piece of piecesOf(response.body)) {
    bytes += piece.byteLength;
    if (bytes > MAX_BODY_BYTES) throw notOurs(response.status);
    text += decoder.decode(piece, { stream: true });
  }
  return text;
}

/** Returns the error that a refusal means; gateways in between have refusals of their own. */
function refusalOf(response: Response, value: object | null): ApiError | Unreachable {
  const afterSeconds = secondsOf(response.headers.get("Retry-After"));
  const error: unknown = value !== null && "error" in value ? value.error : null;
  if (typeof error !== "object" || error === null) return notOurs(response.status, afterSeconds);
  const said = error as { code?: unknown; message?: unknown; retryAfter?: unknown };
  return new ApiError(wordsOf(said.message) ?? "", {
    status: response.status,
    code: wordsOf(said.code) ?? "unknown",
    retryAfterSeconds: secondsOf(said.retryAfter) ?? afterSeconds,
    requestId: response.headers.get("X-Request-ID"),
  });
}

function wordsOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Returns a number of seconds, or null for what is none, such as a date. */
function secondsOf(value: unknown): number | null {
  if (value === null || value === undefined || value === "") return null;
  const seconds = Number(value);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}
