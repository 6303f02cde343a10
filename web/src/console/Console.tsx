// The whole console: the way in, or the board. The key is kept here, in memory, and nowhere else.

import { useState } from "react";

import { type Choices, choices, choose } from "../call/memory.ts";
import { useTheme } from "../ui/theme.ts";
import { SignIn } from "./access/SignIn.tsx";
import type { Admin } from "./api.ts";
import { Board } from "./Board.tsx";
import { words } from "./strings.ts";

interface Entry {
  admin: Admin | null;
  /** Why one has to sign in again. */
  note: string | null;
}

export function Console() {
  const [{ admin, note }, setEntry] = useState<Entry>({ admin: null, note: null });
  const [chosen, setChosen] = useState(choices);
  const theme = useTheme(chosen.theme);

  // A late answer to who has signed out is none to who has signed in since.
  const deny = (denied: Admin): void =>
    setEntry((entry) => (entry.admin === denied ? { admin: null, note: words.signIn.denied } : entry));

  return (
    <div className="vf console" data-theme={theme}>
      {admin === null ? (
        <SignIn note={note} onAdmin={(who) => setEntry({ admin: who, note: null })} onDenied={deny} />
      ) : (
        <Board
          admin={admin}
          theme={theme}
          chosenTheme={chosen.theme}
          onTheme={(kept: Choices["theme"]) => setChosen(choose({ theme: kept }))}
          onSignOut={() => setEntry({ admin: null, note: null })}
        />
      )}
    </div>
  );
}
