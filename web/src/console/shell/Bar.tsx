// What stands above all: where one is, how fresh it is, the theme, the way out.

import type { MouseEvent } from "react";

import type { Choices } from "../../call/memory.ts";
import { Button } from "../../ui/Button.tsx";
import { ThemeChoice } from "../../ui/ThemeChoice.tsx";
import type { Polled } from "../live/poller.ts";
import { words } from "../strings.ts";
import { LiveMark } from "./LiveMark.tsx";

/** The sections by the id of their headings. */
const SECTIONS = [
  ["overview", words.overview.short],
  ["trends", words.trends.short],
  ["workers", words.workers.title],
  ["sessions", words.sessions.title],
] as const;

interface BarProps {
  fleet: Polled<unknown>;
  everyMs: number;
  theme: Choices["theme"];
  onTheme: (theme: Choices["theme"]) => void;
  onSignOut: () => void;
}

export function Bar({ fleet, everyMs, theme, onTheme, onSignOut }: BarProps) {
  return (
    <header className="bar">
      <h1 className="brand">
        <img src="/favicon.svg" alt="" width="24" height="24" />
        {words.title}
      </h1>
      <nav aria-label={words.bar.sections}>
        <ul className="bar-sections">
          {SECTIONS.map(([id, name]) => (
            <li key={id}>
              <a href={`#${id}`} onClick={(event) => goTo(event, id)}>
                {name}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <LiveMark polled={fleet} everyMs={everyMs} />
      <div className="bar-end">
        <ThemeChoice chosen={theme} onChoose={onTheme} />
        <Button icon="signOut" aria-label={words.bar.signOut} title={words.bar.signOut} onClick={onSignOut}>
          <span className="sign-out-text">{words.bar.signOut}</span>
        </Button>
      </div>
    </header>
  );
}

/** Goes to a section without a new address: that one tells what is shown. */
function goTo(event: MouseEvent, id: string): void {
  const heading = document.getElementById(id);
  if (heading === null) return;
  event.preventDefault();
  heading.scrollIntoView({ block: "start" });
  heading.focus({ preventScroll: true });
}
