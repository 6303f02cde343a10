// A chart with its title and what there is to see in it, or the same as a table.

import { type ReactNode, useState } from "react";

import { Button } from "../../ui/Button.tsx";
import { words } from "../strings.ts";
import { Plot, type PlotProps } from "./Plot.tsx";

export interface ChartTable {
  head: string[];
  rows: string[][];
}

interface ChartCardProps extends Omit<PlotProps, "label"> {
  title: string;
  summary: string;
  /** What the marks mean, where there is more than one kind. */
  legend?: ReactNode;
  isEmpty: boolean;
  table: ChartTable;
}

export function ChartCard({ title, summary, legend, isEmpty, table, ...plot }: ChartCardProps) {
  const [isTable, setTable] = useState(false);
  return (
    <figure className="card chart">
      <figcaption className="chart-head">
        <h3>{title}</h3>
        <p className="muted small">{summary}</p>
      </figcaption>
      {isTable ? (
        <DataTable title={title} table={table} />
      ) : isEmpty ? (
        <p className="plot plot-empty muted">{summary}</p>
      ) : (
        <Plot {...plot} label={`${title}: ${summary}`} />
      )}
      <div className="chart-foot">
        {legend}
        <Button aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          {words.trends.asTable}
          <span className="hidden">: {title}</span>
        </Button>
      </div>
    </figure>
  );
}

function DataTable({ title, table }: { title: string; table: ChartTable }) {
  return (
    <div className="plot scroll" tabIndex={0} role="group" aria-label={title}>
      <table className="table">
        <caption className="hidden">{title}</caption>
        <thead>
          <tr>
            {table.head.map((name, place) => (
              <th key={name} scope="col" className={place === 0 ? "" : "number"}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map(([name, ...values]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {values.map((value, place) => (
                <td key={table.head[place + 1]} className="number">
                  {value}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
