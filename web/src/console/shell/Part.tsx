// A part of the console: one that cannot be drawn says so, and leaves the others as they are.

import type { ReactNode } from "react";

import { Boundary } from "../../ui/Boundary.tsx";
import { words } from "../strings.ts";

export function Part({ children }: { children: ReactNode }) {
  return <Boundary words={words.broken}>{children}</Boundary>;
}
