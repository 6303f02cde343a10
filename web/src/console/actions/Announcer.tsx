// Says to screen readers what has come of an action, wherever on the page that is shown.

import { createContext, type ReactNode, useCallback, useContext, useState } from "react";

type Announce = (text: string) => void;

const Announcing = createContext<Announce>(() => undefined);

/** Returns what says a text aloud. */
export function useAnnounce(): Announce {
  return useContext(Announcing);
}

export function Announcer({ children }: { children: ReactNode }) {
  const [said, setSaid] = useState({ text: "", number: 0 });
  const announce = useCallback((text: string) => setSaid(({ number }) => ({ text, number: number + 1 })), []);
  return (
    <Announcing value={announce}>
      {children}
      <p className="hidden" role="status">
        {/* Another element each time: the same words are said again. */}
        <span key={said.number}>{said.text}</span>
      </p>
    </Announcing>
  );
}
