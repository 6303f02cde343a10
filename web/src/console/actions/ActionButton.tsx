// A button that asks before it does something, and shows beside itself what came of it.

import { useState } from "react";

import { Button, type ButtonProps } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { words } from "../strings.ts";
import { Confirm, type Question } from "./Confirm.tsx";
import { type Outcome, useAction } from "./useAction.ts";

interface ActionButtonProps extends Omit<ButtonProps, "onClick"> {
  question: Question;
  /** Does it, and returns what is to be said then. */
  act: () => Promise<string>;
}

export function ActionButton({ question, act, children, ...rest }: ActionButtonProps) {
  // As it was when it was asked: what is shown meanwhile may change, what is confirmed must not.
  const [asked, setAsked] = useState<Pick<ActionButtonProps, "question" | "act"> | null>(null);
  const { isRunning, outcome, run } = useAction();
  return (
    <div className="action">
      {/* Not disabled while it works: it would lose the focus. */}
      <Button
        {...rest}
        aria-disabled={isRunning}
        onClick={() => {
          if (!isRunning) setAsked({ question, act });
        }}
      >
        {isRunning ? words.actions.running : children}
      </Button>
      <OutcomeText outcome={outcome} />
      {asked && <Confirm {...asked.question} onYes={() => void run(asked.act)} onClose={() => setAsked(null)} />}
    </div>
  );
}

export function OutcomeText({ outcome }: { outcome: Outcome | null }) {
  if (outcome === null) return null;
  return (
    <p className="outcome" data-look={outcome.isGood ? "good" : "bad"}>
      <Icon name={outcome.isGood ? "check" : "warning"} />
      {outcome.text}
    </p>
  );
}
