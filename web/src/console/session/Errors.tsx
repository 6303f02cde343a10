// What did not work for one agent, counted by its kind.

import type { Failure } from "../../api/types.ts";
import { clock, count } from "../figures.ts";
import { words } from "../strings.ts";

const COLUMNS = ["stage", "label", "kind", "count", "last", "effect"] as const;

export function Errors({ errors }: { errors: Failure[] }) {
  const said = words.timeline;
  return (
    <div className="part">
      <h4>{said.errors}</h4>
      {errors.length === 0 ? (
        <p className="muted">{said.noErrors}</p>
      ) : (
        <div className="scroll" tabIndex={0} role="group" aria-label={said.errors}>
          <table className="table compact">
            <caption className="hidden">{said.errors}</caption>
            <thead>
              <tr>
                {COLUMNS.map((name) => (
                  <th key={name} scope="col">
                    {said.errorColumns[name]}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {errors.map((one) => (
                <tr key={`${one.stage} ${one.label} ${one.kind} ${one.recoverable}`}>
                  <th scope="row">{one.stage}</th>
                  <td>{one.label}</td>
                  <td>{one.kind}</td>
                  <td>{count(one.count)}</td>
                  <td className="mono">{clock(one.lastAt)}</td>
                  <td>
                    <span className="badge" data-look={one.recoverable ? "plain" : "bad"}>
                      {one.recoverable ? said.recovered : said.notRecovered}
                    </span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
