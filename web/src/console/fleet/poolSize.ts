// How many warm processes may be asked for (`ResizeRequest` of the API).

export const MOST = 10_000;

/** Returns the number that was typed; null when it is none that the API takes. */
export function sizeOf(text: string): number | null {
  const typed = text.trim();
  if (!/^\d{1,6}$/.test(typed)) return null;
  const size = Number(typed);
  return size <= MOST ? size : null;
}

export function clampSize(size: number): number {
  return Math.min(MOST, Math.max(0, size));
}
