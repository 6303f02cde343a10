// What is wrong, the worst first; or that nothing is, if that is known.

import { Icon } from "../../ui/Icon.tsx";
import { words } from "../strings.ts";
import type { Alert } from "../types.ts";
import { byUrgency } from "./counts.ts";

interface AlertsProps {
  /** Missing from older servers. */
  alerts: Alert[] | null | undefined;
  /** Whether they are of now. */
  isFresh: boolean;
}

export function Alerts({ alerts, isFresh }: AlertsProps) {
  return (
    <div className="alerts">
      <h3 className="hidden">{words.alerts.title}</h3>
      {alerts && alerts.length > 0 ? (
        <ul className="alert-list">
          {byUrgency(alerts).map((alert) => (
            <li key={`${alert.code} ${alert.message}`} className="alert" data-severity={alert.severity}>
              <Icon name="warning" />
              <p className="alert-text">
                <strong>{words.alerts.severities[alert.severity]}</strong> {alert.message}
                <span className="alert-code mono">{alert.code}</span>
              </p>
            </li>
          ))}
        </ul>
      ) : (
        <Calm isKnown={alerts !== null && alerts !== undefined} isFresh={isFresh} />
      )}
    </div>
  );
}

function Calm({ isKnown, isFresh }: { isKnown: boolean; isFresh: boolean }) {
  if (!isFresh) return <p className="alert muted">{words.alerts.unknown}</p>;
  if (!isKnown) return <p className="alert muted">{words.alerts.untold}</p>;
  return (
    <p className="alert" data-severity="none">
      <Icon name="check" />
      <strong>{words.alerts.well}</strong>
    </p>
  );
}
