// The call while it lives: what happens on the left, what was said on the right.

import type { Choices } from "../call/memory.ts";
import { isTalking, type Phase } from "../call/phase.ts";
import { useCall, useCallState } from "../call/useCall.ts";
import { Composer } from "./Composer.tsx";
import { Controls } from "./Controls.tsx";
import { Details } from "./Details.tsx";
import { Stage } from "./Stage.tsx";
import { Transcript } from "./Transcript.tsx";
import { TroubleNote } from "./TroubleNote.tsx";
import { WaitingLine } from "./WaitingLine.tsx";

interface ConversationProps {
  phase: Phase;
  chosen: Choices;
  onChoose: (part: Partial<Choices>) => void;
}

export function Conversation({ phase, chosen, onChoose }: ConversationProps) {
  const call = useCall();
  const hindrance = useCallState((state) => state.hindrance);
  const isWaiting = phase === "queued" || phase === "starting";
  return (
    <div className="call" data-phase={phase}>
      <div className="call-side">
        <Stage phase={phase} />
        {phase === "queued" && <WaitingLine />}
        {hindrance && <TroubleNote trouble={hindrance} onRetry={() => void call.retryMicrophone()} />}
        <Controls phase={phase} chosen={chosen} onChoose={onChoose} />
        {!isWaiting && <Details />}
      </div>
      {!isWaiting && (
        <div className="call-words">
          <Transcript />
          <Composer isReady={isTalking(phase)} />
        </div>
      )}
    </div>
  );
}
