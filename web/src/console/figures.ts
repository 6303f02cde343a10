// Numbers as they are read from afar.

/** Returns a share of 0 to 1 in percent. Neither "all" nor "none" is said of what only comes close. */
export function percent(share: number): string {
  const value = 100 * Math.min(1, Math.max(0, share));
  if (value === 0 || value === 100) return `${value} %`;
  return `${Math.min(99.9, Math.max(0.1, value)).toFixed(1)} %`;
}

/** Returns a share of 0 to 1 in whole percent, for what changes all the time. */
export function roundPercent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

/** Returns the share of a part in a whole; null where there is no whole. */
export function shareOf(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

/** Returns a number with its thousands apart: "12 400". */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function megabytes(bytes: number): string {
  return `${count(bytes / (1024 * 1024))} MB`;
}

/** Returns the time of day, by the clock of who looks: "09:05:07". */
export function clock(at: number): string {
  const time = new Date(at);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(":");
}

/** Returns the time of day to the millisecond: "09:05:07.123". */
export function preciseClock(at: number): string {
  return `${clock(at)}.${String(at % 1000).padStart(3, "0")}`;
}

/** Returns the time of day without seconds: "09:05". */
export function hourAndMinute(at: number): string {
  return clock(at).slice(0, 5);
}

/** Returns day and time: "2026-03-01 09:05:07". */
export function dayAndTime(at: number): string {
  const time = new Date(at);
  return `${time.getFullYear()}-${twoDigits(time.getMonth() + 1)}-${twoDigits(time.getDate())} ${clock(at)}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
