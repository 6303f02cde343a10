import { useCallback, useSyncExternalStore } from "react";

/** Says whether a media query holds. */
export function useMedia(text: string): boolean {
  const watch = useCallback(
    (tell: () => void) => {
      const query = matchMedia(text);
      query.addEventListener("change", tell);
      return () => query.removeEventListener("change", tell);
    },
    [text],
  );
  return useSyncExternalStore(watch, () => matchMedia(text).matches);
}
