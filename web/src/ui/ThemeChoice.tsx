import type { Choices } from "../call/memory.ts";
import { strings } from "../strings.ts";

const THEMES = ["system", "light", "dark"] as const;

interface ThemeChoiceProps {
  chosen: Choices["theme"];
  onChoose: (theme: Choices["theme"]) => void;
}

/** A choice of colours, for the head of a page. */
export function ThemeChoice({ chosen, onChoose }: ThemeChoiceProps) {
  return (
    <label className="theme-choice">
      <span className="hidden">{strings.theme.label}</span>
      <select
        className="input"
        value={chosen}
        onChange={(event) => onChoose(THEMES.find((theme) => theme === event.target.value) ?? "system")}
      >
        {THEMES.map((theme) => (
          <option key={theme} value={theme}>
            {strings.theme[theme]}
          </option>
        ))}
      </select>
    </label>
  );
}
