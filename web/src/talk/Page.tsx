// The call page: the call, under a name and a choice of colours.

import { useEffect, useState } from "react";

import { choices, choose } from "../call/memory.ts";
import type { Phase } from "../call/phase.ts";
import { strings } from "../strings.ts";
import { ThemeChoice } from "../ui/ThemeChoice.tsx";
import { useTheme } from "../ui/theme.ts";
import { Talk } from "./Talk.tsx";

export function Page() {
  const [chosen, setChosen] = useState(() => choices().theme);
  const theme = useTheme(chosen);
  const [phase, setPhase] = useState<Phase>("idle");

  // What a user sees of it in another tab.
  useEffect(() => {
    document.title = phase === "idle" ? strings.name : `${strings.phases[phase]} · ${strings.name}`;
  }, [phase]);

  return (
    <div className="vf page" data-theme={theme}>
      <header className="page-head">
        <p className="brand">
          <img src="/favicon.svg" alt="" width="28" height="28" /> {strings.name}
        </p>
        <ThemeChoice chosen={chosen} onChoose={(value) => setChosen(choose({ theme: value }).theme)} />
      </header>
      <main className="page-main">
        <Talk onPhase={setPhase} />
      </main>
    </div>
  );
}
