import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import uPlot from "uplot";

import type { Drawing } from "./drawings.ts";
import { lookOf } from "./look.ts";

export interface PlotProps {
  /** These two have to stay the same object while they mean the same. */
  drawing: Drawing;
  data: uPlot.AlignedData;
  /** Says what there is to see. */
  label: string;
  /** Drawn anew with another one: a canvas does not follow the page's colours. */
  theme: string;
}

/** Draws a chart as large as its place, and again when that changes. */
export function Plot({ drawing, data, label, theme }: PlotProps) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const place = host.current;
    if (place === null) return;
    const plot = new uPlot({ ...drawing(lookOf(place)), ...sizeOf(place) }, data, place);
    const observer = new ResizeObserver(() => plot.setSize(sizeOf(place)));
    observer.observe(place);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [drawing, data, theme]);
  return <div ref={host} className="plot" role="img" aria-label={label} />;
}

function sizeOf({ clientWidth, clientHeight }: HTMLElement): { width: number; height: number } {
  return { width: Math.max(1, clientWidth), height: Math.max(1, clientHeight) };
}
