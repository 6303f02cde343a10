// After the call: why it is over, what was said, and another one.

import { fileName, textOf } from "../call/script.ts";
import { useCallState } from "../call/useCall.ts";
import { duration, strings } from "../strings.ts";
import { Button } from "../ui/Button.tsx";
import { useLostFocus } from "../ui/focus.ts";
import { Details } from "./Details.tsx";
import { endOf } from "./Spoken.tsx";
import { Transcript } from "./Transcript.tsx";
import { TroubleNote } from "./TroubleNote.tsx";

interface OverProps {
  onAgain: () => void;
  onBack: () => void;
}

export function Over({ onAgain, onBack }: OverProps) {
  const cause = useCallState((state) => state.trouble);
  const lines = useCallState((state) => state.lines);
  const title = useLostFocus<HTMLHeadingElement>();
  const hadSession = useCallState((state) => state.sessionId !== null);
  return (
    <section className="over" aria-labelledby="over-title">
      <div className="call-side">
        <h1 id="over-title" tabIndex={-1} ref={title}>
          {strings.over.title}
        </h1>
        {cause === null ? <Reason /> : <TroubleNote trouble={cause} onRetry={onAgain} />}
        <div className="controls">
          {cause === null && (
            <Button look="main" icon="microphone" onClick={onAgain}>
              {strings.over.again}
            </Button>
          )}
          <Button onClick={onBack}>{strings.over.back}</Button>
          {lines.length > 0 && (
            <Button icon="save" onClick={() => save(fileName(lines), textOf(lines))}>
              {strings.transcript.save}
            </Button>
          )}
        </div>
        {hadSession && <Details />}
      </div>
      {lines.length > 0 && (
        <div className="call-words">
          <Transcript />
        </div>
      )}
    </section>
  );
}

/** What the API says of the end, and how long it was. */
function Reason() {
  const view = useCallState((state) => state.view);
  const end = useCallState(endOf);
  const seconds = view?.joinedAt && view.endedAt ? (view.endedAt - view.joinedAt) / 1000 : null;
  return (
    <p data-reason={view?.reason ?? ""}>
      {end} {seconds !== null && strings.over.length(duration(seconds))}
    </p>
  );
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
