// What can go wrong: the server says no (ApiError), or says nothing of use (Unreachable).

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** For programs: at_capacity, rate_limited, unauthorized, session_not_found, … */
  readonly code: string;
  /** Seconds after which trying again may help. */
  readonly retryAfter: number | null;

  constructor(message: string, status: number, code: string, retryAfter: number | null) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** Reads an answer; throws ApiError for a refusal, Unreachable for what is none of ours. */
export async function valueOf<T>(response: Response): Promise<T> {
  const value: unknown = await response.json().catch(() => null);
  if (typeof value !== "object" || value === null) {
    throw new Unreachable(`something answered with ${response.status}, but not Voicefleet`);
  }
  if (response.ok) return value as T;
  const error = "error" in value ? value.error : null;
  if (typeof error !== "object" || error === null || !("code" in error)) {
    throw new Unreachable(`something answered with ${response.status}, but not Voicefleet`);
  }
  const { code, message, retryAfter } = error as {
    code: string;
    message: string;
    retryAfter?: number;
  };
  throw new ApiError(message, response.status, code, retryAfter ?? null);
}
