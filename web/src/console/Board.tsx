// The board of a signed-in admin: the fleet from afar, then its parts, and one session beside them.

import { useEffect, useRef } from "react";

import type { Choices } from "../call/memory.ts";
import { Announcer } from "./actions/Announcer.tsx";
import type { Address } from "./address/address.ts";
import { type Go, useAddress } from "./address/useAddress.ts";
import type { Admin } from "./api.ts";
import { Trends } from "./charts/Trends.tsx";
import { Overview } from "./fleet/Overview.tsx";
import { PoolControl } from "./fleet/PoolControl.tsx";
import { FLEET, type FollowedFleet, useFleet } from "./fleet/useFleet.ts";
import { Workers } from "./fleet/Workers.tsx";
import { Panel } from "./session/Panel.tsx";
import { Sessions } from "./sessions/Sessions.tsx";
import { openerOf } from "./sessions/SessionTable.tsx";
import { type SessionList, useSessions } from "./sessions/useSessions.ts";
import { Bar } from "./shell/Bar.tsx";
import { Part } from "./shell/Part.tsx";
import { focusSoon } from "./shell/focus.ts";
import { useMedia } from "../ui/media.ts";
import { useTitle } from "./shell/useTitle.ts";

/** Up to this width the panel covers what is behind it; board.css has the same. */
const COVERING = "(max-width: 1199px)";

interface BoardProps {
  admin: Admin;
  theme: string;
  chosenTheme: Choices["theme"];
  onTheme: (theme: Choices["theme"]) => void;
  onSignOut: () => void;
}

export function Board({ admin, theme, chosenTheme, onTheme, onSignOut }: BoardProps) {
  const followed = useFleet(admin);
  const [address, go] = useAddress();
  const list = useSessions(admin, address);
  const isCovering = useMedia(COVERING) && address.sessionId !== null;
  const main = useRef<HTMLElement>(null);
  // Signing in has taken away what had the focus.
  useEffect(() => {
    if (document.activeElement === document.body) main.current?.focus();
  }, []);
  useTitle(followed.fleet);

  return (
    <Announcer>
      <div className="board" data-open={address.sessionId !== null}>
        <div className="board-main" inert={isCovering}>
          <Bar
            fleet={followed.fleet}
            everyMs={FLEET.everyMs}
            theme={chosenTheme}
            onTheme={onTheme}
            onSignOut={onSignOut}
          />
          <main ref={main} tabIndex={-1} className="board-parts">
            <Parts {...{ admin, theme, followed, address, list, go }} />
          </main>
        </div>
        {address.sessionId !== null && (
          <Panel
            key={address.sessionId}
            admin={admin}
            sessionId={address.sessionId}
            tab={address.tab}
            onTab={(tab) => go({ tab })}
            onClose={() => {
              go({ sessionId: null });
              focusSoon(openerOf(address.sessionId ?? ""), "sessions");
            }}
            onChanged={() => {
              followed.refresh();
              list.refresh();
            }}
          />
        )}
      </div>
    </Announcer>
  );
}

interface PartsProps {
  admin: Admin;
  theme: string;
  followed: FollowedFleet;
  address: Address;
  list: SessionList;
  go: Go;
}

function Parts({ admin, theme, followed: { fleet, history, refresh }, address, list, go }: PartsProps) {
  const showSessionsOf = (worker: string): void => {
    go({ worker, state: "live" });
    focusSoon("sessions");
  };
  return (
    <>
      <Part>
        <Overview fleet={fleet} history={history.value} />
      </Part>
      <Part>
        <Trends history={history} theme={theme} />
      </Part>
      {fleet.value !== null && (
        <Part>
          <div className="workers-and-pool">
            <Workers
              admin={admin}
              workers={fleet.value.workers}
              scaling={fleet.value.scaling}
              onChanged={refresh}
              onSessions={showSessionsOf}
            />
            <PoolControl admin={admin} pool={fleet.value.pool} onChanged={refresh} />
          </div>
        </Part>
      )}
      <Part>
        <Sessions
          list={list}
          address={address}
          counts={fleet.value?.sessions ?? null}
          workers={fleet.value?.workers ?? []}
          onFilter={go}
          // A step back closes the session; from one to the next there is none.
          onOpen={(sessionId) => go({ sessionId }, address.sessionId === null)}
        />
      </Part>
    </>
  );
}
