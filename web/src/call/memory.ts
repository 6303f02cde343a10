// What the browser keeps: the live call for as long as its tab is open, choices for longer. Every
// access may be refused (a private window, a full disk); then nothing is kept, and all goes on.

const CHOICES = "voicefleet.choices";
const CALL = "voicefleet.call";

export interface Choices {
  microphoneId: string;
  speakerId: string;
  /** 0 to 1. */
  volume: number;
  theme: "system" | "light" | "dark";
  persona: string;
}

const DEFAULTS: Choices = { microphoneId: "", speakerId: "", volume: 1, theme: "system", persona: "" };

export interface KeptCall {
  id: string;
  secret: string | null;
  /** Whether the user has muted the microphone: it is not to be open again by itself. */
  isMuted: boolean;
}

/** What was chosen last, where that could not be kept. */
let unkept: Choices | null = null;

/** Returns what the user has chosen, where it is of the right kind. */
export function choices(): Choices {
  if (unkept !== null) return unkept;
  const kept = read(() => localStorage, CHOICES);
  const entries = Object.entries(DEFAULTS).map(([name, usual]) => {
    const value = kept?.[name];
    return [name, typeof value === typeof usual ? value : usual] as const;
  });
  const found = Object.fromEntries(entries) as unknown as Choices;
  return { ...found, volume: Math.min(1, Math.max(0, found.volume)) };
}

/** Keeps some choices beside those that there are. */
export function choose(part: Partial<Choices>): Choices {
  const all = { ...choices(), ...part };
  unkept = write(() => localStorage, CHOICES, all) ? null : all;
  return all;
}

/** The places that calls on this page have: no two may keep theirs in the same. */
const taken = new Set<string>();

/** Where a call is kept: a page may embed two, with one server or with two. */
export class CallMemory {
  private readonly server: string;
  private key: string;

  constructor(baseUrl: string) {
    this.server = baseUrl === "" ? CALL : `${CALL}:${baseUrl}`;
    this.key = this.server;
  }

  /** Takes the first place that is free. The page's elements come in their order each time, so that
   * each finds its own call again. */
  claim(): void {
    this.key = this.server;
    for (let place = 2; taken.has(this.key); place += 1) this.key = `${this.server}#${place}`;
    taken.add(this.key);
  }

  /** Leaves the place, with the call that is kept there, to who comes next. */
  release(): void {
    taken.delete(this.key);
  }

  /** Returns the call that this tab had when it was loaded before. */
  find(): KeptCall | null {
    const kept = read(() => sessionStorage, this.key);
    const { id, secret, isMuted } = kept ?? {};
    if (typeof id !== "string") return null;
    return { id, secret: typeof secret === "string" ? secret : null, isMuted: isMuted === true };
  }

  keep(call: KeptCall): void {
    write(() => sessionStorage, this.key, call);
  }

  /** Changes something of the call that is kept, if there is one. */
  note(part: Partial<KeptCall>): void {
    const kept = this.find();
    if (kept !== null) this.keep({ ...kept, ...part });
  }

  forget(): void {
    write(() => sessionStorage, this.key, null);
  }
}

function read(storage: () => Storage, key: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(storage().getItem(key) ?? "null");
    return typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

/** Returns whether the browser has taken it. */
function write(storage: () => Storage, key: string, value: object | null): boolean {
  try {
    if (value === null) storage().removeItem(key);
    else storage().setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
