// Pages of a list that can only be read forwards: the way back is remembered.

export interface Pages {
  /** Where each page up to the shown one begins; null is the beginning. */
  readonly begins: readonly (string | null)[];
}

export const FIRST: Pages = { begins: [null] };

/** Returns where the shown page begins. */
export function cursorOf(pages: Pages): string | null {
  return pages.begins.at(-1) ?? null;
}

/** Counts pages from 1. */
export function numberOf(pages: Pages): number {
  return pages.begins.length;
}

export function hasPrevious(pages: Pages): boolean {
  return pages.begins.length > 1;
}

/** Goes to the page that begins at a cursor; one that is shown already is not gone to twice. */
export function toNext(pages: Pages, cursor: string): Pages {
  return cursorOf(pages) === cursor ? pages : { begins: [...pages.begins, cursor] };
}

/** Goes back, at most to the first page. */
export function toPrevious(pages: Pages): Pages {
  return hasPrevious(pages) ? { begins: pages.begins.slice(0, -1) } : pages;
}
