// The whole call, on a page of ours or in somebody else's: a welcome, the call, and what comes after.

import { RoomAudioRenderer, RoomContext } from "@livekit/components-react";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";

import type { TokenSource } from "../api/index.ts";
import { type Choices, choices, choose } from "../call/memory.ts";
import type { Phase } from "../call/phase.ts";
import { Phone } from "../call/phone.ts";
import { phaseOfState } from "../call/state.ts";
import { CallContext, useCallState } from "../call/useCall.ts";
import { strings } from "../strings.ts";
import { Boundary } from "../ui/Boundary.tsx";
import { Conversation } from "./Conversation.tsx";
import { Over } from "./Over.tsx";
import { Spoken } from "./Spoken.tsx";
import { Welcome } from "./Welcome.tsx";

export interface TalkProps {
  /** Where the API is; empty for where the page came from. */
  baseUrl?: string;
  /** The user's token, where users have one. */
  token?: TokenSource | undefined;
  /** Whom to talk with; left out, the user chooses. */
  persona?: string | undefined;
  /** Told whenever the call is at another point. */
  onPhase?: ((phase: Phase) => void) | undefined;
}

export function Talk({ baseUrl = "", token, persona, onPhase }: TalkProps) {
  const phone = useMemo(() => new Phone(baseUrl), [baseUrl]);
  const { call } = useSyncExternalStore(phone.subscribe, phone.snapshot);

  useEffect(() => phone.signIn(token), [phone, token]);
  useEffect(() => {
    phone.open();
    return () => phone.close();
  }, [phone]);

  return (
    <CallContext value={call}>
      <RoomContext value={call.room}>
        <Views {...{ phone, baseUrl, persona, onPhase }} hasToken={token !== undefined} />
      </RoomContext>
    </CallContext>
  );
}

interface ViewsProps {
  phone: Phone;
  baseUrl: string;
  persona: string | undefined;
  hasToken: boolean;
  onPhase: TalkProps["onPhase"];
}

function Views({ onPhase, ...rest }: ViewsProps) {
  const phase = useCallState(phaseOfState);
  useEffect(() => onPhase?.(phase), [onPhase, phase]);
  return (
    <div className="talk" data-phase={phase}>
      <Boundary words={{ ...strings.troubles.broken, reload: strings.over.reload }}>
        <View phase={phase} {...rest} />
      </Boundary>
      <Spoken phase={phase} />
    </div>
  );
}

function View({ phone, phase, baseUrl, persona, hasToken }: Omit<ViewsProps, "onPhase"> & { phase: Phase }) {
  const [chosen, setChosen] = useState(choices);
  const change = (part: Partial<Choices>): void => setChosen(choose(part));
  const start = (pasted = ""): void => {
    if (pasted !== "") phone.signIn(pasted);
    const named = persona ?? chosen.persona;
    phone.start(named === "" ? {} : { persona: named });
  };

  if (phase === "idle") {
    const offered = persona === undefined;
    return (
      <Welcome {...{ baseUrl, chosen, change, start, hasToken }} isPersonaOffered={offered} />
    );
  }
  if (phase === "over") return <Over onAgain={() => start()} onBack={() => phone.clear()} />;
  return (
    <>
      <RoomAudioRenderer volume={chosen.volume} />
      <Conversation phase={phase} chosen={chosen} onChoose={change} />
    </>
  );
}
