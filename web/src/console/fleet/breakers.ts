// The circuit breakers, whatever a server has of them: its neighbours, and the providers of workers.

/** Named by what it guards. Closed lets calls through, open does not, half_open tries out. */
export interface Breaker {
  name: string;
  state: string;
}

const NAMES = ["worker", "stage", "provider", "name", "label"] as const;

/** Returns the breakers, those that are not closed first; none for what is not understood. */
export function breakersOf(circuits: Record<string, unknown> | null | undefined): Breaker[] {
  const found = Object.entries(circuits ?? {}).flatMap(([name, value]) =>
    Array.isArray(value) ? value.flatMap(providerOf) : typeof value === "string" ? [{ name, state: value }] : [],
  );
  return [...found.filter((one) => one.state !== "closed"), ...found.filter((one) => one.state === "closed")];
}

function providerOf(value: unknown): Breaker[] {
  if (typeof value !== "object" || value === null) return [];
  const fields = value as Record<string, unknown>;
  const name = NAMES.map((field) => fields[field])
    .filter((text) => typeof text === "string" && text !== "")
    .join(" ");
  return typeof fields["state"] === "string" && name !== "" ? [{ name, state: fields["state"] }] : [];
}
