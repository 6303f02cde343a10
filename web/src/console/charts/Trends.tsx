// The last hour: how much was asked for, how well that went, how long it took.

import { useMemo } from "react";
import type uPlot from "uplot";

import { ApiError } from "../../api/errors.ts";
import { count, hourAndMinute, percent } from "../figures.ts";
import type { Polled } from "../live/poller.ts";
import { reasonOf } from "../reason.ts";
import { words } from "../strings.ts";
import type { History } from "../types.ts";
import { ChartCard } from "./ChartCard.tsx";
import { latencies, starts, success } from "./drawings.ts";
import { type Bin, binsOf, edgeWithin, fullestOf, totalOf } from "./histogram.ts";
import { lowestOf, successSeries, totalsOf, WINDOW_MINUTES } from "./series.ts";

interface TrendsProps {
  history: Polled<History>;
  theme: string;
}

/** Which share of starts is worth a word. */
const MOST = 0.95;

export function Trends({ history: { value, error }, theme }: TrendsProps) {
  const said = words.trends;
  const isUnknown = error instanceof ApiError && error.status === 404;
  return (
    <section className="trends" aria-labelledby="trends">
      <h2 id="trends" tabIndex={-1} className="section-title">
        {said.title}
      </h2>
      {error !== null && (
        <p className="note" data-look="warn">
          {isUnknown ? said.missing : said.stale(reasonOf(error))}
        </p>
      )}
      {value === null && error === null && <p className="muted">{said.loading}</p>}
      {value !== null && (
        <div className="charts">
          <StartsChart history={value} theme={theme} />
          <SuccessChart history={value} theme={theme} />
          <LatencyChart history={value} theme={theme} />
        </div>
      )}
    </section>
  );
}

interface ChartProps {
  history: History;
  theme: string;
}

const COLUMNS = ["admitted", "ready", "failed", "ended", "expired"] as const;

function StartsChart({ history: { points }, theme }: ChartProps) {
  const said = words.trends.starts;
  const total = totalsOf(points);
  const data = useMemo<uPlot.AlignedData>(
    () => [secondsOf(points), points.map((one) => one.admitted), points.map((one) => one.failed)],
    [points],
  );
  return (
    <ChartCard
      title={said.title}
      summary={said.summary(total.admitted, total.failed, total.busiest)}
      legend={<StartsLegend />}
      isEmpty={points.length === 0}
      drawing={starts}
      data={data}
      theme={theme}
      table={{
        head: [words.trends.minute, ...COLUMNS.map((column) => said[column])],
        rows: points
          .toReversed()
          .map((one) => [hourAndMinute(one.at), ...COLUMNS.map((column) => count(one[column]))]),
      }}
    />
  );
}

function StartsLegend() {
  return (
    <ul className="legend muted small" aria-hidden="true">
      <li>
        <span className="swatch" data-look="active" />
        {words.trends.starts.admitted}
      </li>
      <li>
        <span className="swatch" data-look="failed" />
        {words.trends.starts.failed}
      </li>
    </ul>
  );
}

function SuccessChart({ history: { points, successRate }, theme }: ChartProps) {
  const said = words.trends.success;
  const series = useMemo(() => successSeries(points), [points]);
  const data = useMemo<uPlot.AlignedData>(() => [secondsOf(points), series], [points, series]);
  const lowest = lowestOf(series);
  return (
    <ChartCard
      title={said.title}
      summary={lowest === null ? said.none : said.summary(successRate ?? lowest, lowest)}
      legend={<p className="muted small">{said.about(WINDOW_MINUTES)}</p>}
      isEmpty={lowest === null}
      drawing={success}
      data={data}
      theme={theme}
      table={{
        head: [words.trends.minute, said.rate(WINDOW_MINUTES)],
        rows: points
          .map((one, place) => [hourAndMinute(one.at), shareText(series[place] ?? null)])
          .toReversed(),
      }}
    />
  );
}

function LatencyChart({ history, theme }: ChartProps) {
  const said = words.trends.latency;
  const bins = useMemo(() => binsOf(history.latency), [history.latency]);
  const drawing = useMemo(() => latencies(bins), [bins]);
  const data = useMemo<uPlot.AlignedData>(
    () => [bins.map((_, place) => place), bins.map((bin) => bin.count)],
    [bins],
  );
  const total = totalOf(history.latency.counts);
  return (
    <ChartCard
      title={said.title}
      summary={latencySummary(bins)}
      legend={<p className="muted small">{said.total(total)}</p>}
      isEmpty={total === 0 || bins.length === 0}
      drawing={drawing}
      data={data}
      theme={theme}
      table={{
        head: [said.time, said.starts, said.share],
        rows: bins.map((bin) => [binText(bin), count(bin.count), percent(bin.share)]),
      }}
    />
  );
}

function latencySummary(bins: Bin[]): string {
  const said = words.trends.latency;
  const fullest = fullestOf(bins);
  if (fullest === null) return said.none;
  const most = edgeWithin(bins, MOST);
  const texts = most === null ? [] : [said.within(most.share, most.edgeMs)];
  return [...texts, said.fullest(binText(fullest))].join("; ");
}

function binText({ aboveMs, upToMs }: Bin): string {
  const said = words.trends.latency;
  if (upToMs === null) return said.above(aboveMs ?? 0);
  return aboveMs === null ? said.upTo(upToMs) : said.between(aboveMs, upToMs);
}

function shareText(share: number | null): string {
  return share === null ? words.none : percent(share);
}

function secondsOf(points: History["points"]): number[] {
  return points.map((one) => one.at / 1000);
}
