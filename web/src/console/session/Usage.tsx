// What each model has done for the session.

import type { Usage as UsageOfModel } from "../../api/types.ts";
import { duration } from "../../strings.ts";
import { count } from "../figures.ts";
import { words } from "../strings.ts";

export function Usage({ usage }: { usage: UsageOfModel[] }) {
  const said = words.timeline;
  const columns = ["stage", "model", "requests", "input", "output", "characters", "audio"] as const;
  return (
    <div className="part">
      <h4>{said.usage}</h4>
      <div className="scroll" tabIndex={0} role="group" aria-label={said.usage}>
        <table className="table compact">
          <caption className="hidden">{said.usage}</caption>
          <thead>
            <tr>
              {columns.map((name, place) => (
                <th key={name} scope="col" className={place < 2 ? "" : "number"}>
                  {said.usageColumns[name]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {usage.map((one) => (
              <tr key={`${one.stage} ${one.provider} ${one.model}`}>
                <th scope="row">{one.stage}</th>
                <td>{[one.provider, one.model].filter((name) => name !== "").join(" · ")}</td>
                {[one.requests, one.inputTokens, one.outputTokens, one.characters].map((value, place) => (
                  <td key={columns[place + 2]} className="number">
                    {value === 0 ? "" : count(value)}
                  </td>
                ))}
                <td className="number">{one.audioMs === 0 ? "" : duration(one.audioMs / 1000)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
