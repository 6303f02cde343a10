// What somebody writes who has read LiveKit's documentation and knows nothing of us: the token
// endpoint and the agent's name are all it is given, in the page's address.

import {
  RoomAudioRenderer,
  SessionProvider,
  useAgent,
  useSession,
  useSessionMessages,
} from "@livekit/components-react";
import { TokenSource } from "livekit-client";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

const given = new URLSearchParams(location.search);
const agentName = given.get("agent");
const tokenSource = TokenSource.endpoint(given.get("endpoint") ?? "/api/token");
const options = {
  // The default of 20 s is for machines that do nothing else meanwhile.
  agentConnectTimeoutMilliseconds: 90_000,
  ...(agentName === null ? {} : { agentName }),
};

function Talk() {
  const session = useSession(tokenSource, options);
  const agent = useAgent(session);
  const { messages } = useSessionMessages(session);
  const [outcome, setOutcome] = useState("");

  async function start() {
    setOutcome("starting");
    try {
      await session.start();
      setOutcome("started");
    } catch (error) {
      setOutcome(String(error));
    }
  }

  return (
    <SessionProvider session={session}>
      <RoomAudioRenderer />
      <button onClick={() => void start()}>Start</button>
      <button onClick={() => void session.end()}>End</button>
      <dl>
        <dt>Connection</dt>
        <dd id="connection">{session.connectionState}</dd>
        <dt>Agent</dt>
        <dd id="agent">{agent.state}</dd>
        <dt>Start</dt>
        <dd id="outcome">{outcome}</dd>
      </dl>
      <ol>
        {messages.map((message) => (
          <li key={message.id} className={message.type}>
            {message.message}
          </li>
        ))}
      </ol>
    </SessionProvider>
  );
}

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no root");
createRoot(root).render(
  <StrictMode>
    <Talk />
  </StrictMode>,
);
