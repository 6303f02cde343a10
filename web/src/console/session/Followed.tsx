// A list that grows at its end: it follows the end, unless somebody has scrolled up to read.

import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";

import { Button } from "../../ui/Button.tsx";
import { words } from "../strings.ts";

interface FollowedProps {
  label: string;
  /** What is in it; another one when there is more. */
  content: unknown;
  className: string;
  children: ReactNode;
}

/** So near to the end counts as there: heights are not always whole. */
const NEAR_PX = 24;

export function Followed({ label, content, className, children }: FollowedProps) {
  const box = useRef<HTMLDivElement>(null);
  const [isFollowing, setFollowing] = useState(true);
  const toEnd = (): void => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  };
  useLayoutEffect(() => {
    if (isFollowing) toEnd();
  }, [content, isFollowing]);
  // Another width makes other lines.
  useEffect(() => {
    const shown = box.current;
    if (shown === null || !isFollowing) return;
    const observer = new ResizeObserver(toEnd);
    observer.observe(shown);
    return () => observer.disconnect();
  }, [isFollowing]);
  return (
    <div className="followed">
      <div
        ref={box}
        className={`scroll ${className}`}
        tabIndex={0}
        role="group"
        aria-label={label}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) =>
          setFollowing(scrollHeight - clientHeight - scrollTop <= NEAR_PX)
        }
      >
        {children}
      </div>
      {!isFollowing && (
        <Button
          icon="down"
          onClick={() => {
            setFollowing(true);
            // This button is gone then, and the keyboard would begin at the top of the page again.
            box.current?.focus();
          }}
        >
          {words.logs.toEnd}
        </Button>
      )}
    </div>
  );
}
