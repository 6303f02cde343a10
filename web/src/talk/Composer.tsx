// Writing instead of speaking.

import { type SubmitEvent, useState } from "react";

import { MOST_TYPED_CHARS } from "../call/lines.ts";
import { useCall } from "../call/useCall.ts";
import { strings } from "../strings.ts";
import { Button } from "../ui/Button.tsx";

export function Composer({ isReady }: { isReady: boolean }) {
  const call = useCall();
  const [text, setText] = useState("");
  const [hasFailed, setHasFailed] = useState(false);

  const send = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const words = text.trim();
    if (words === "" || !isReady) return;
    setText("");
    setHasFailed(false);
    try {
      await call.type(words);
    } catch {
      setText(words);
      setHasFailed(true);
    }
  };

  return (
    <form className="composer" onSubmit={(event) => void send(event)}>
      <input
        className="input"
        aria-label={strings.composer.label}
        placeholder={strings.composer.placeholder}
        autoComplete="off"
        maxLength={MOST_TYPED_CHARS}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit" icon="send" disabled={!isReady || text.trim() === ""} aria-label={strings.composer.send} look="round" />
      {hasFailed && (
        <p role="alert" className="composer-failed">
          {strings.composer.failed}
        </p>
      )}
    </form>
  );
}
