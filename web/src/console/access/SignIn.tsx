// The way in: a form that asks for the admin key.

import { type SubmitEvent, useState } from "react";

import { Button } from "../../ui/Button.tsx";
import { type Admin, isDenial, isKey } from "../api.ts";
import { reasonOf } from "../reason.ts";
import { words } from "../strings.ts";
import { signIn } from "./entry.ts";

interface SignInProps {
  /** Why one has to sign in again. */
  note: string | null;
  onAdmin: (admin: Admin) => void;
  onDenied: (admin: Admin) => void;
}

export function SignIn({ note, onAdmin, onDenied }: SignInProps) {
  const [isChecking, setChecking] = useState(false);
  const [trouble, setTrouble] = useState(note);

  const submit = async (event: SubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget).get("key");
    const key = typeof given === "string" ? given.trim() : "";
    if (isChecking) return;
    if (!isKey(key)) {
      setTrouble(key === "" ? words.signIn.empty : words.signIn.wrong);
      return;
    }
    setChecking(true);
    setTrouble(null);
    try {
      onAdmin(await signIn(key, onDenied));
    } catch (error) {
      setTrouble(isDenial(error) ? words.signIn.wrong : words.signIn.failed(reasonOf(error)));
      setChecking(false);
    }
  };

  return (
    <main className="sign-in">
      <form className="card sign-in-form" onSubmit={(event) => void submit(event)}>
        <p className="brand">
          <img src="/favicon.svg" alt="" width="28" height="28" />
          {words.name}
        </p>
        <h1>{words.signIn.title}</h1>
        <label className="field">
          <span>{words.signIn.key}</span>
          <input
            className="input"
            type="password"
            name="key"
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            autoFocus
            aria-describedby="key-about key-trouble"
            aria-invalid={trouble !== null}
          />
        </label>
        <p id="key-about" className="muted small">
          {words.signIn.about}
        </p>
        <p id="key-trouble" role="alert" className={trouble === null ? "hidden" : "note"} data-look="bad">
          {trouble}
        </p>
        <Button type="submit" look="main" aria-disabled={isChecking}>
          {isChecking ? words.signIn.checking : words.signIn.submit}
        </Button>
      </form>
    </main>
  );
}
