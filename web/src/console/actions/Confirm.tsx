// Asks whether it is meant, and says what happens then.

import { useId, useLayoutEffect, useRef } from "react";

import { Button } from "../../ui/Button.tsx";
import { words } from "../strings.ts";

export interface Question {
  title: string;
  about: string;
  /** What the button says that does it. */
  yes: string;
  isDangerous?: boolean;
}

interface ConfirmProps extends Question {
  onYes: () => void;
  onClose: () => void;
}

export function Confirm({ title, about, yes, isDangerous = false, onYes, onClose }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Closed before it is removed: only then the focus goes back to where it was.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="confirm"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-about`}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <h2 id={`${id}-title`}>{title}</h2>
      <p id={`${id}-about`}>{about}</p>
      <div className="confirm-buttons">
        <Button autoFocus onClick={onClose}>
          {words.actions.cancel}
        </Button>
        <Button
          look={isDangerous ? "danger" : "main"}
          onClick={() => {
            onClose();
            onYes();
          }}
        >
          {yes}
        </Button>
      </div>
    </dialog>
  );
}
