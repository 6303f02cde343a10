// A part that loads on its own: its value, or why there is none.

import type { ReactNode } from "react";

import type { Polled } from "../live/poller.ts";
import { reasonOf } from "../reason.ts";
import { words } from "../strings.ts";

interface LoadedProps<T> {
  polled: Polled<T>;
  loading: string;
  children: (value: T) => ReactNode;
}

export function Loaded<T>({ polled: { value, error }, loading, children }: LoadedProps<T>) {
  return (
    <>
      {error !== null && (
        <p className="note" data-look="bad">
          {words.session.failed(reasonOf(error))}
        </p>
      )}
      {value === null && error === null && <p className="muted">{loading}</p>}
      {value !== null && children(value)}
    </>
  );
}
