// What is on record of a session, each part loaded when it is looked at (WAI-ARIA, "Tabs").

import { type KeyboardEvent, type ReactNode, useRef } from "react";

import { type Tab, TABS } from "../address/address.ts";
import type { Admin } from "../api.ts";
import { Part } from "../shell/Part.tsx";
import { words } from "../strings.ts";
import { Logs } from "./Logs.tsx";
import { Timeline } from "./Timeline.tsx";
import { Transcript } from "./Transcript.tsx";

export interface TabProps {
  admin: Admin;
  sessionId: string;
  /** Whether nothing more is written down. */
  isSettled: boolean;
}

interface TabsProps extends TabProps {
  tab: Tab;
  onTab: (tab: Tab) => void;
}

const STEPS: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 };
const CONTENTS: Record<Tab, (props: TabProps) => ReactNode> = { timeline: Timeline, transcript: Transcript, logs: Logs };

export function Tabs({ tab, onTab, ...shared }: TabsProps) {
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length] ?? tab;
    onTab(next);
    list.current?.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  const Content = CONTENTS[tab];
  return (
    <div className="tabs">
      <div ref={list} className="tab-list" role="tablist" aria-label={words.session.tabsLabel} onKeyDown={move}>
        {TABS.map((each) => (
          <button
            key={each}
            id={`tab-${each}`}
            type="button"
            role="tab"
            className="tab"
            aria-selected={each === tab}
            aria-controls="tab-content"
            tabIndex={each === tab ? 0 : -1}
            onClick={() => onTab(each)}
          >
            {words.session.tabs[each]}
          </button>
        ))}
      </div>
      <div id="tab-content" role="tabpanel" aria-labelledby={`tab-${tab}`} className="tab-content" tabIndex={0}>
        <Part key={tab}>
          <Content {...shared} />
        </Part>
      </div>
    </div>
  );
}
