import { useState } from "react";

import { Icon } from "../../ui/Icon.tsx";
import { useAnnounce } from "../actions/Announcer.tsx";
import { words } from "../strings.ts";

/** Copies a text. Browsers allow that on https and localhost only; elsewhere there is no button. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const announce = useAnnounce();
  const [isCopied, setCopied] = useState(false);
  if (!isSecureContext) return null;
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      announce(words.sessions.copied);
    } catch {
      announce(words.sessions.notCopied);
    }
  };
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      onClick={() => void copy()}
      onBlur={() => setCopied(false)}
    >
      <Icon name={isCopied ? "check" : "copy"} />
    </button>
  );
}
