// What the fleet offers, asked once when the page opens.

import { Transport } from "../api/transport.ts";

export interface FleetOptions {
  persona: string;
  personas: string[];
  authMode: "open" | "jwt";
}

const WITHIN_MS = 10_000;

/** Asks what can be chosen. Throws Unreachable or ApiError. */
export async function fleetOptions(baseUrl: string, signal: AbortSignal): Promise<FleetOptions> {
  const transport = new Transport(baseUrl, undefined, WITHIN_MS);
  return transport.call<FleetOptions>({ method: "GET", path: "/api/options", signal }, ["personas", "authMode"]);
}
