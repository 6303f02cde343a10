// One part that cannot be drawn shall not take the others with it.

import { Component, type ReactNode } from "react";

import { Button } from "../../ui/Button.tsx";
import { words } from "../strings.ts";

interface BoundaryProps {
  children: ReactNode;
}

export class Boundary extends Component<BoundaryProps, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError(): { isBroken: boolean } {
    return { isBroken: true };
  }

  override render(): ReactNode {
    if (!this.state.isBroken) return this.props.children;
    return (
      <div className="note" data-look="bad" role="alert">
        <strong>{words.broken.title}</strong>
        <p>{words.broken.next}</p>
        <p>
          <Button icon="refresh" onClick={() => location.reload()}>
            {words.broken.reload}
          </Button>
        </p>
      </div>
    );
  }
}
