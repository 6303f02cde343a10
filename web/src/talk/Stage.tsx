// What the call is at, to see and to hear.

import { BarVisualizer, useVoiceAssistant } from "@livekit/components-react";
import { useEffect, useState } from "react";

import type { Phase } from "../call/phase.ts";
import { useCallState } from "../call/useCall.ts";
import { strings } from "../strings.ts";
import { useLostFocus } from "../ui/focus.ts";
import { useMedia } from "../ui/media.ts";

/** Finds the stage, where the focus goes when what had it is gone. */
export const STAGE = ".stage";

const BARS = 7;
/** A warm fleet brings an agent in half a second. */
const SLOW_AFTER_MS = 8_000;

export function Stage({ phase }: { phase: Phase }) {
  const hint = useHint(phase);
  const place = useLostFocus<HTMLElement>();
  const isStill = useMedia("(prefers-reduced-motion: reduce)");
  return (
    <section className="stage" aria-label={strings.stage} data-phase={phase} tabIndex={-1} ref={place}>
      {isStill ? <StillBars /> : <Bars phase={phase} />}
      <p className="stage-words">
        <strong>{strings.phases[phase]}</strong>
        {hint !== null && <span className="muted"> {hint}</span>}
      </p>
    </section>
  );
}

/** Bars that move with the agent's voice. */
function Bars({ phase }: { phase: Phase }) {
  const { state, audioTrack } = useVoiceAssistant();
  return (
    <BarVisualizer
      aria-hidden="true"
      barCount={BARS}
      state={phase === "queued" || phase === "starting" ? "connecting" : state}
      {...(audioTrack === undefined ? {} : { track: audioTrack })}
      options={{ minHeight: 8 }}
    />
  );
}

/** For who wants no motion: the words below say the same. LiveKit's bars are moved by script. */
function StillBars() {
  return (
    <div className="lk-audio-bar-visualizer" aria-hidden="true">
      {Array.from({ length: BARS }, (_, place) => (
        <span key={place} className="lk-audio-bar" style={{ height: "30%" }} />
      ))}
    </div>
  );
}

/** Returns what else there is to say of a phase. */
export function useHint(phase: Phase): string | null {
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
