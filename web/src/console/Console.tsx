// The whole console: the way in, or the board. The key is kept here, in memory, and nowhere else.

import { useState } from "react";

import { type Choices, choices, choose } from "../call/memory.ts";
import { useTheme } from "../ui/theme.ts";
import { SignIn } from "./access/SignIn.tsx";
import type { Admin } from "./api.ts";
import { Board } from "./Board.tsx";
import { words } from "./strings.ts";

export function Console() {
  const [admin, setAdmin] = useState<Admin | null>(null);
  const [note, setNote] = useState<string | null>(null);
  const [chosen, setChosen] = useState(choices);
  const theme = useTheme(chosen.theme);

  const leave = (reason: string | null): void => {
    setAdmin(null);
    setNote(reason);
  };

  return (
    <div className="vf console" data-theme={theme}>
      {admin === null ? (
        <SignIn note={note} onAdmin={setAdmin} onDenied={() => leave(words.signIn.denied)} />
      ) : (
        <Board
          admin={admin}
          theme={theme}
          chosenTheme={chosen.theme}
          onTheme={(kept: Choices["theme"]) => setChosen(choose({ theme: kept }))}
          onSignOut={() => leave(null)}
        />
      )}
    </div>
  );
}
