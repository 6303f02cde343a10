// Before the call: one button, and a choice of whom to talk with where there is one.

import { useEffect, useState } from "react";

import type { Choices } from "../call/memory.ts";
import { type Trouble, troubleOf } from "../call/trouble.ts";
import { strings } from "../strings.ts";
import { Button } from "../ui/Button.tsx";
import { useLostFocus } from "../ui/focus.ts";
import { type FleetOptions, fleetOptions } from "./options.ts";
import { TroubleNote } from "./TroubleNote.tsx";

interface WelcomeProps {
  baseUrl: string;
  chosen: Choices;
  change: (part: Partial<Choices>) => void;
  start: (pastedToken?: string) => void;
  isPersonaOffered: boolean;
  hasToken: boolean;
}

export function Welcome({ baseUrl, chosen, change, start, isPersonaOffered, hasToken }: WelcomeProps) {
  const title = useLostFocus<HTMLHeadingElement>();
  const { options, problem, ask } = useFleetOptions(baseUrl);
  const [token, setToken] = useState("");
  const mustSignIn = options?.authMode === "jwt" && !hasToken;
  const personas = options?.personas ?? [];
  const kept = personas.includes(chosen.persona) ? chosen.persona : (options?.persona ?? "");

  const begin = (): void => {
    // A persona that the fleet has no more is nobody's choice any more.
    if (options !== null && chosen.persona !== "" && !personas.includes(chosen.persona)) change({ persona: "" });
    start(token.trim());
  };

  return (
    <section className="welcome" aria-labelledby="welcome-title">
      <h1 id="welcome-title" tabIndex={-1} ref={title}>{strings.welcome.title}</h1>
      <p className="muted">{strings.welcome.about}</p>
      {problem && <TroubleNote trouble={problem} onRetry={ask} />}
      {isPersonaOffered && personas.length > 1 && (
        <label className="field">
          <span>{strings.welcome.persona}</span>
          <select className="input" value={kept} onChange={(event) => change({ persona: event.target.value })}>
            {personas.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      {mustSignIn && (
        <label className="field">
          <span>{strings.welcome.token}</span>
          <input
            className="input"
            type="password"
            autoComplete="off"
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
          <span className="muted small">{strings.welcome.tokenAbout}</span>
        </label>
      )}
      <Button look="main" icon="microphone" disabled={mustSignIn && token.trim() === ""} onClick={begin}>
        {strings.welcome.start}
      </Button>
    </section>
  );
}

/** Asks for the options, and again when told to. */
function useFleetOptions(baseUrl: string) {
  const [attempt, setAttempt] = useState(0);
  const [options, setOptions] = useState<FleetOptions | null>(null);
  const [problem, setProblem] = useState<Trouble | null>(null);
  useEffect(() => {
    const asking = new AbortController();
    fleetOptions(baseUrl, asking.signal).then(
      (answer) => {
        setOptions(answer);
        setProblem(null);
      },
      (error: unknown) => {
        if (!asking.signal.aborted) setProblem(troubleOf(error));
      },
    );
    return () => asking.abort();
  }, [baseUrl, attempt]);
  return { options, problem, ask: () => setAttempt(attempt + 1) };
}
