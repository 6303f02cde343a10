// Opens the session whose id somebody has at hand.

import { type SubmitEvent, useId, useState } from "react";

import { Button } from "../../ui/Button.tsx";
import { sessionIdOf } from "../address/address.ts";
import { words } from "../strings.ts";

export function Search({ onOpen }: { onOpen: (sessionId: string) => void }) {
  const said = words.sessions;
  const id = useId();
  const [text, setText] = useState("");
  const [isWrong, setWrong] = useState(false);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const sessionId = sessionIdOf(text);
    setWrong(sessionId === null);
    if (sessionId !== null) onOpen(sessionId);
  };
  return (
    <form className="search" role="search" onSubmit={submit}>
      <label className="hidden" htmlFor={`${id}-id`}>
        {said.search}
      </label>
      <input
        id={`${id}-id`}
        className="input mono"
        placeholder={said.search}
        value={text}
        maxLength={100}
        autoComplete="off"
        spellCheck={false}
        aria-invalid={isWrong}
        aria-describedby={`${id}-wrong`}
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit" icon="search">
        {said.find}
      </Button>
      <p id={`${id}-wrong`} role="alert" className={isWrong ? "outcome" : "hidden"} data-look="bad">
        {isWrong ? said.notAnId : ""}
      </p>
    </form>
  );
}
