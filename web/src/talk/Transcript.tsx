// What was said, as a log that stays at its end unless the user has scrolled back.

import { useEffect, useRef, useState } from "react";

import type { Line } from "../call/lines.ts";
import { useCallState } from "../call/useCall.ts";
import { strings } from "../strings.ts";
import { Button } from "../ui/Button.tsx";

/** Nearer than this to the end is at the end. */
const NEAR_PX = 40;

export function Transcript() {
  const lines = useCallState((state) => state.lines);
  const box = useRef<HTMLDivElement>(null);
  const [isAtEnd, setIsAtEnd] = useState(true);
  const toEnd = (): void => box.current?.scrollTo({ top: box.current.scrollHeight });

  useEffect(() => {
    if (isAtEnd) toEnd();
  }, [lines, isAtEnd]);

  return (
    <section className="transcript" aria-labelledby="transcript-title">
      <h2 id="transcript-title">{strings.transcript.title}</h2>
      <div
        ref={box}
        className="transcript-lines"
        role="log"
        // Both sides are heard; read aloud as well, word by word, nobody would understand either.
        aria-live="off"
        aria-labelledby="transcript-title"
        tabIndex={0}
        onScroll={(event) => setIsAtEnd(isNearEnd(event.currentTarget))}
      >
        {lines.length === 0 && <p className="muted">{strings.transcript.empty}</p>}
        <ol>
          {lines.map((line) => (
            <LineItem key={line.id} line={line} />
          ))}
        </ol>
      </div>
      {!isAtEnd && (
        <Button
          className="to-end"
          icon="down"
          onClick={() => {
            toEnd();
            // The button goes away, and would take the focus with it.
            box.current?.focus();
          }}
        >
          {strings.transcript.toEnd}
        </Button>
      )}
    </section>
  );
}

export function LineItem({ line }: { line: Line }) {
  return (
    <li className="line" data-by={line.by} data-final={line.isFinal}>
      <p className="line-head muted small">
        <span>{strings.transcript[line.by]}</span> <time dateTime={new Date(line.at).toISOString()}>{clock(line.at)}</time>
        {line.isTyped && ` · ${strings.transcript.typed}`}
      </p>
      <p>{line.text}</p>
    </li>
  );
}

function clock(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function isNearEnd(box: HTMLElement): boolean {
  return box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
}
