// What each chart looks like, in uPlot's words.

import uPlot from "uplot";

import { hourAndMinute } from "../figures.ts";
import type { Bin } from "./histogram.ts";
import type { Look } from "./look.ts";

export type Drawing = (look: Look) => Omit<uPlot.Options, "width" | "height">;

/** Less than one start a minute at most is drawn as one. */
const LEAST_TOP = 4;
const MARK_PX = 9;
const AXIS_PX = 26;
/** Labels of bins do without their unit on charts that are not wider. */
const NARROW_PX = 420;
const LABEL_PX = 16;

const STILL = {
  // Numbers are read in the table: nothing here waits for a mouse.
  cursor: { show: false },
  legend: { show: false },
} satisfies Partial<uPlot.Options>;

/** With room for the bars of the first minute and the last. */
const MINUTES: uPlot.Scale = { time: true, range: (_, first, last) => [first - 30, last + 30] };

/** Bars of what was admitted, and marks where starts failed. */
export const starts: Drawing = (look) => ({
  ...STILL,
  scales: { x: MINUTES, y: { range: (_, __, most) => [0, Math.max(LEAST_TOP, most * 1.1)] } },
  axes: [timeAxis(look), valueAxis(look, wholes)],
  series: [
    {},
    { stroke: look.accent, fill: look.accent, width: 0, paths: barsOf(0.7), points: { show: false } },
    {
      stroke: look.bad,
      paths: () => null,
      points: { show: true, size: MARK_PX, stroke: look.surface, fill: look.bad, width: 1.5, filter: aboveZero },
    },
  ],
});

/** A line from 0 to 100 %. */
export const success: Drawing = (look) => ({
  ...STILL,
  scales: { x: MINUTES, y: { range: [0, 1.02] } },
  axes: [timeAxis(look), { ...valueAxis(look, percents), splits: [0, 0.25, 0.5, 0.75, 1] }],
  series: [
    {},
    {
      stroke: look.accent,
      fill: look.accentSoft,
      width: 2.5,
      spanGaps: false,
      points: { show: true, size: 4, fill: look.accent, filter: alone },
    },
  ],
});

/** Bars with their numbers above them. */
export function latencies(bins: Bin[]): Drawing {
  return (look) => ({
    ...STILL,
    padding: [LABEL_PX + 4, null, null, null],
    scales: {
      x: { time: false, range: [-0.5, bins.length - 0.5] },
      y: { range: (_, __, most) => [0, Math.max(1, most)] },
    },
    axes: [
      {
        ...bareAxis(look),
        size: AXIS_PX,
        grid: { show: false },
        splits: bins.map((_, place) => place),
        values: (plot) => bins.map((bin) => binLabel(bin, plot.width < NARROW_PX ? "" : " s")),
      },
      { show: false },
    ],
    series: [
      {},
      { stroke: look.accent, fill: look.accent, width: 0, paths: barsOf(0.75), points: { show: false } },
    ],
    hooks: { draw: [(plot) => writeCounts(plot, bins, look)] },
  });
}

function binLabel({ aboveMs, upToMs }: Bin, unit: string): string {
  return (upToMs === null ? `>${(aboveMs ?? 0) / 1000}` : `≤${upToMs / 1000}`) + unit;
}

function writeCounts(plot: uPlot, bins: Bin[], look: Look): void {
  const { ctx } = plot;
  const scale = uPlot.pxRatio;
  ctx.save();
  ctx.font = look.font.replace(/^\d+/, (px) => String(Number(px) * scale));
  ctx.fillStyle = look.ink;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  bins.forEach((bin, place) => {
    const [left, top] = [plot.valToPos(place, "x", true), plot.valToPos(bin.count, "y", true)];
    ctx.fillText(String(bin.count), left, top - 3 * scale);
  });
  ctx.restore();
}

function barsOf(share: number): uPlot.Series.PathBuilder {
  const build = uPlot.paths.bars;
  if (build === undefined) throw new Error("this uPlot draws no bars");
  return build({ size: [share, 60], radius: 0.15 });
}

function bareAxis(look: Look): uPlot.Axis {
  return {
    stroke: look.muted,
    font: look.font,
    grid: { stroke: look.line, width: 1 },
    ticks: { show: false },
  };
}

function timeAxis(look: Look): uPlot.Axis {
  return {
    ...bareAxis(look),
    size: AXIS_PX,
    space: 64,
    grid: { show: false },
    values: (_, seconds) => seconds.map((second) => hourAndMinute(1000 * second)),
  };
}

function valueAxis(look: Look, texts: (values: number[]) => string[]): uPlot.Axis {
  return { ...bareAxis(look), size: 46, space: 32, values: (_, values) => texts(values) };
}

function wholes(values: number[]): string[] {
  return values.map((value) => (Number.isInteger(value) ? String(value) : ""));
}

function percents(values: number[]): string[] {
  return values.map((value) => `${Math.round(100 * value)} %`);
}

/** Returns which points are to be marked: those with something to tell. */
function aboveZero(plot: uPlot, series: number): number[] {
  return placesWhere(plot, series, (value) => value > 0);
}

/** Returns the points without neighbours, which no line goes through. */
function alone(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const isGap = (place: number): boolean => (values[place] ?? null) === null;
  return placesWhere(plot, series, (_, place) => isGap(place - 1) && isGap(place + 1));
}

function placesWhere(plot: uPlot, series: number, isOne: (value: number, place: number) => boolean): number[] {
  const places: number[] = [];
  plot.data[series]?.forEach((value, place) => {
    if (typeof value === "number" && isOne(value, place)) places.push(place);
  });
  return places;
}
