import { useMemo, useSyncExternalStore } from "react";

import { type Address, formatAddress, parseAddress } from "./address.ts";

/** `isStep` makes the browser's back button come back to where one was. */
export type Go = (part: Partial<Address>, isStep?: boolean) => void;

/** Returns the page's address, and what changes a part of it. */
export function useAddress(): [Address, Go] {
  const hash = useSyncExternalStore(watch, () => location.hash);
  return [useMemo(() => parseAddress(hash), [hash]), go];
}

const go: Go = (part, isStep = false) => {
  const hash = formatAddress({ ...parseAddress(location.hash), ...part });
  if (hash === location.hash) return;
  const url = location.pathname + location.search + hash;
  if (isStep) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  // The browser tells of its own steps only.
  dispatchEvent(new HashChangeEvent("hashchange"));
};

function watch(tell: () => void): () => void {
  addEventListener("hashchange", tell);
  addEventListener("popstate", tell);
  return () => {
    removeEventListener("hashchange", tell);
    removeEventListener("popstate", tell);
  };
}
