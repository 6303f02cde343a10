// What the call is at, to see and to hear.

import { BarVisualizer, useVoiceAssistant } from "@livekit/components-react";
import { useEffect, useState } from "react";

import { isTalking, type Phase } from "../call/phase.ts";
import { useCallState } from "../call/useCall.ts";
import { strings } from "../strings.ts";
import { useLostFocus } from "../ui/focus.ts";

const BARS = 7;
/** A warm fleet brings an agent in half a second. */
const SLOW_AFTER_MS = 8_000;

export function Stage({ phase }: { phase: Phase }) {
  const { state, audioTrack } = useVoiceAssistant();
  const hint = useHint(phase);
  const place = useLostFocus<HTMLElement>();
  return (
    <section className="stage" aria-label={strings.stage} data-phase={phase} tabIndex={-1} ref={place}>
      <BarVisualizer
        aria-hidden="true"
        barCount={BARS}
        state={phase === "queued" || phase === "starting" ? "connecting" : state}
        {...(audioTrack === undefined ? {} : { track: audioTrack })}
        options={{ minHeight: 8 }}
      />
      <p className="stage-words">
        <strong>{strings.phases[phase]}</strong>
        {hint !== null && <span className="muted"> {hint}</span>}
      </p>
      {/* Whose turn it is can be heard: it would talk over the agent. */}
      <p className="hidden" role="status">
        {isTalking(phase) ? strings.there : strings.phases[phase]}. {hint}
      </p>
    </section>
  );
}

function useHint(phase: Phase): string | null {
  const microphone = useCallState((state) => state.microphone);
  const isWaiting = phase === "connecting" || phase === "waiting" || phase === "starting";
  const isSlow = useIsSlow(phase, isWaiting);
  if (microphone === "asking") return strings.hints.asking;
  if (isSlow) return strings.hints.slow;
  if (phase === "replacing") return strings.hints.replacing;
  if (phase === "reconnecting") return strings.hints.reconnecting;
  return isWaiting && microphone === "on" ? strings.hints.early : null;
}

/** Whether one phase of waiting has lasted for long. */
function useIsSlow(phase: Phase, isWaiting: boolean): boolean {
  const [slowPhase, setSlowPhase] = useState<Phase | null>(null);
  useEffect(() => {
    if (!isWaiting) return;
    const timer = setTimeout(() => setSlowPhase(phase), SLOW_AFTER_MS);
    return () => {
      clearTimeout(timer);
      setSlowPhase(null);
    };
  }, [phase, isWaiting]);
  return slowPhase === phase;
}
