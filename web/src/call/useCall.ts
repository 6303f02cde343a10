import { createContext, useContext, useSyncExternalStore } from "react";

import type { Call } from "./call.ts";
import type { CallState } from "./state.ts";

/** The call of the views below. */
export const CallContext = createContext<Call | null>(null);

/** Returns the call; what happens to it is read with `useCallState`. */
export function useCall(): Call {
  const call = useContext(CallContext);
  if (call === null) throw new Error("a view of a call stands outside of a CallContext");
  return call;
}

/** Returns one fact of the call, anew whenever that changes. */
export function useCallState<T>(choose: (state: CallState) => T): T {
  const call = useCall();
  return useSyncExternalStore(call.subscribe, () => choose(call.snapshot()));
}
