// How long each turn took, the last one first.

import type { TurnTimes } from "../../api/types.ts";
import { latency } from "../../strings.ts";
import { clock } from "../figures.ts";
import { words } from "../strings.ts";

interface TurnsProps {
  turns: TurnTimes[];
  /** How many came before these. */
  leftOut: number;
}

const STAGES = ["transcription", "endOfTurn", "firstToken", "firstSound"] as const;

export function Turns({ turns, leftOut }: TurnsProps) {
  const said = words.timeline;
  const longestMs = Math.max(1, ...turns.map((turn) => turn.answerMs ?? 0));
  return (
    <div className="part">
      <h4>
        {said.turns} <span className="muted small">{said.turnsAbout(turns.length, leftOut)}</span>
      </h4>
      <div className="scroll turn-scroll" tabIndex={0} role="group" aria-label={said.turns}>
        <table className="table compact">
          <caption className="hidden">{said.turns}</caption>
          <thead>
            <tr>
              <th scope="col">{said.turn.at}</th>
              <th scope="col">{said.turn.who}</th>
              <th scope="col">{said.turn.answer}</th>
              {STAGES.map((stage) => (
                <th key={stage} scope="col" className="number">
                  {said.turn[stage]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {turns.toReversed().map((turn, place) => (
              <TurnRow key={turns.length - place} turn={turn} longestMs={longestMs} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function TurnRow({ turn, longestMs }: { turn: TurnTimes; longestMs: number }) {
  const said = words.timeline;
  return (
    <tr>
      <th scope="row" className="mono">
        {clock(turn.at)}
      </th>
      <td>
        {said.roles[turn.role]}
        {turn.interrupted && <span className="below muted">{said.interrupted}</span>}
      </td>
      <td className="answer">
        {turn.answerMs !== null && (
          <>
            <span className="answer-track" aria-hidden="true">
              <span className="answer-bar" style={{ width: `${(100 * turn.answerMs) / longestMs}%` }} />
            </span>
            <span>{latency(turn.answerMs)}</span>
          </>
        )}
      </td>
      {STAGES.map((stage) => (
        <td key={stage} className="number">
          {textOf(turn[`${stage}Ms`])}
        </td>
      ))}
    </tr>
  );
}

function textOf(ms: number | null): string {
  return ms === null ? "" : latency(ms);
}
