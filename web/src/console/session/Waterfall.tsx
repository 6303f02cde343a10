// Steps one after the other as a table whose bars stand where on the way each was.

import { latency } from "../../strings.ts";
import { words } from "../strings.ts";
import type { Stage, Step } from "./spans.ts";

interface WaterfallProps {
  title: string;
  total: string;
  stage: Stage;
  /** Says that a moment was so many ms before the one it is measured from. */
  aheadText: (ms: number) => string;
}

export function Waterfall({ title, total, stage, aheadText }: WaterfallProps) {
  const said = words.timeline;
  return (
    <div className="waterfall">
      <p className="waterfall-head">
        <strong>{title}</strong> <span className="muted">{total}</span>
      </p>
      <table className="table compact">
        <caption className="hidden">{`${title}: ${total}`}</caption>
        <thead className="hidden">
          <tr>
            <th scope="col">{said.step}</th>
            <td />
            <th scope="col">{said.took}</th>
            <th scope="col">{said.after}</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">{said.moments[stage.first]}</th>
            <td className="track" aria-hidden="true">
              <span className="track-mark" style={{ insetInlineStart: 0 }} />
            </td>
            <td className="number" />
            <td className="number after muted">{latency(0)}</td>
          </tr>
          {stage.steps.map((step) => (
            <StepRow key={step.to} step={step} totalMs={stage.totalMs} aheadText={aheadText} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface StepRowProps {
  step: Step;
  totalMs: number;
  aheadText: (ms: number) => string;
}

function StepRow({ step, totalMs, aheadText }: StepRowProps) {
  const share = (ms: number): string => `${totalMs > 0 ? (100 * ms) / totalMs : 0}%`;
  return (
    <tr>
      <th scope="row">
        {words.timeline.moments[step.to]}
        {step.aheadMs > 0 && <span className="below muted">{aheadText(step.aheadMs)}</span>}
      </th>
      <td className="track" aria-hidden="true">
        <span
          className={step.lengthMs > 0 ? "track-bar" : "track-mark"}
          style={{ insetInlineStart: share(step.startMs), width: step.lengthMs > 0 ? share(step.lengthMs) : undefined }}
        />
      </td>
      <td className="number">{latency(step.lengthMs)}</td>
      <td className="number after muted">{latency(step.startMs + step.lengthMs)}</td>
    </tr>
  );
}
