// Light or dark: the user's choice, or the system's.

import { useSyncExternalStore } from "react";

import type { Choices } from "../call/memory.ts";

const DARK = "(prefers-color-scheme: dark)";

/** Returns the theme to draw in. */
export function useTheme(chosen: Choices["theme"]): "light" | "dark" {
  const isDark = useSyncExternalStore(watchSystem, () => matchMedia(DARK).matches);
  if (chosen !== "system") return chosen;
  return isDark ? "dark" : "light";
}

function watchSystem(tell: () => void): () => void {
  const query = matchMedia(DARK);
  query.addEventListener("change", tell);
  return () => query.removeEventListener("change", tell);
}
