// What charts are drawn with: a canvas knows no classes, so the page's colours are read for it.

export interface Look {
  ink: string;
  muted: string;
  line: string;
  accent: string;
  accentSoft: string;
  bad: string;
  surface: string;
  font: string;
}

const FONT_PX = 12;

/** Returns the colours that hold where an element is. */
export function lookOf(element: Element): Look {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: colour("ink"),
    muted: colour("muted"),
    line: colour("line"),
    accent: colour("accent"),
    accentSoft: colour("accent-soft"),
    bad: colour("bad"),
    surface: colour("surface"),
    font: `${FONT_PX}px ${style.fontFamily}`,
  };
}
