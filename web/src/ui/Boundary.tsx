// One part that cannot be drawn shall not take the others with it, nor leave an empty page.

import { Component, type ReactNode } from "react";

import { Button } from "./Button.tsx";

interface BoundaryProps {
  /** What went wrong, what to do, and what the button is called that does it. */
  words: { title: string; next: string; reload: string };
  children: ReactNode;
}

export class Boundary extends Component<BoundaryProps, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError(): { isBroken: boolean } {
    return { isBroken: true };
  }

  override render(): ReactNode {
    const { words, children } = this.props;
    if (!this.state.isBroken) return children;
    return (
      <div className="note" data-look="bad" role="alert">
        <strong>{words.title}</strong>
        <p>{words.next}</p>
        <p>
          <Button icon="refresh" onClick={() => location.reload()}>
            {words.reload}
          </Button>
        </p>
      </div>
    );
  }
}
