import { type RefObject, useEffect, useRef } from "react";

/**
 * Returns a ref whose element takes the focus when it appears, if what had it has gone: else the
 * keyboard would begin at the top of the page again. Nobody is torn away from something else, and
 * who has just opened the page begins where pages begin.
 */
export function useLostFocus<T extends HTMLElement>(): RefObject<T | null> {
  const place = useRef<T>(null);
  useEffect(() => {
    const root = place.current?.getRootNode();
    if (isFocusLost(root)) place.current?.focus({ preventScroll: true });
  }, []);
  return place;
}

/**
 * Returns a ref for something that may vanish while it has the focus, which then goes to the element
 * that the selector names.
 */
export function useFocusAfter<T extends HTMLElement>(selector: string): RefObject<T | null> {
  const place = useRef<T>(null);
  useEffect(() => {
    const root = place.current?.getRootNode();
    return () => {
      if (isFocusLost(root)) root.querySelector<HTMLElement>(selector)?.focus({ preventScroll: true });
    };
  }, [selector]);
  return place;
}

function isFocusLost(root: Node | undefined): root is Document | ShadowRoot {
  if (!(root instanceof Document || root instanceof ShadowRoot)) return false;
  // Not every browser tells.
  const { userActivation } = navigator as { userActivation?: UserActivation };
  if (userActivation?.hasBeenActive === false) return false;
  const { activeElement } = document;
  if (activeElement === null || activeElement === document.body) return true;
  // In an element of ours the page sees the element focused, until nothing in it is.
  return root instanceof ShadowRoot && activeElement === root.host && root.activeElement === null;
}
