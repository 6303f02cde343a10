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
    if (!(root instanceof Document || root instanceof ShadowRoot)) return;
    const { activeElement } = document;
    const isLost = activeElement === null || activeElement === document.body;
    // In an element of ours the page sees the element focused, until nothing in it is.
    const isLostInside = root instanceof ShadowRoot && activeElement === root.host && root.activeElement === null;
    if (!navigator.userActivation.hasBeenActive) return;
    if (isLost || isLostInside) place.current?.focus({ preventScroll: true });
  }, []);
  return place;
}
