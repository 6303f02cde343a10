// Every word that the pages say, in one place: a translation is another object of this type.

import type { Phase } from "./call/phase.ts";
import type { TroubleKind } from "./call/trouble.ts";

export const strings = {
  name: "Voicefleet",
  theme: {
    label: "Colours",
    system: "As the system",
    light: "Light",
    dark: "Dark",
  },
  welcome: {
    title: "Talk with an agent",
    about: "Press the button and speak. The agent hears you as soon as you are connected, and answers aloud.",
    start: "Start talking",
    persona: "Who to talk with",
    token: "Access token",
    tokenAbout: "Only signed-in users can talk here. Paste a token of your identity provider; it stays in this tab.",
  },
  stage: "Your call",
  there: "The agent is there. You can talk",
  phases: {
    idle: "Not connected",
    starting: "Starting",
    queued: "Waiting in line",
    connecting: "Connecting",
    waiting: "The agent is on its way",
    listening: "Listening",
    thinking: "Thinking",
    speaking: "Speaking",
    replacing: "The agent was lost. Another one is coming",
    reconnecting: "Connection lost. Reconnecting",
    over: "The call is over",
  } satisfies Record<Phase, string>,
  hints: {
    asking: "Your browser asks whether this page may use the microphone. Please allow it.",
    early: "You may speak already; the agent will hear it.",
    slow: "This takes longer than usual. You can go on waiting or end the call.",
    replacing: "It knows what was said and will go on from there.",
    reconnecting: "Your place in the call is kept. You need not do anything.",
  },
  queue: {
    place: (position: number) => (position === 1 ? "You are next." : `You are number ${position} in line.`),
    eta: (seconds: number) => `About ${duration(seconds)} to go.`,
    soon: "It is your turn in a moment.",
    unknown: "The waiting time is not known yet.",
    about: "Keep this page open. The call begins by itself when it is your turn.",
    leave: "Leave the line",
  },
  controls: {
    label: "Call controls",
    mute: "Mute microphone",
    unmute: "Unmute microphone",
    useMicrophone: "Use microphone",
    settings: "Sound settings",
    microphone: "Microphone",
    speaker: "Loudspeaker",
    standard: "The system's choice",
    volume: "Volume of the agent",
    end: "End call",
    unlock: "Turn on sound",
    unlockAbout: "Your browser holds back the sound until you click.",
  },
  transcript: {
    title: "Conversation",
    empty: "What you and the agent say appears here.",
    user: "You",
    agent: "Agent",
    typed: "typed",
    toEnd: "Go to the latest line",
    save: "Save transcript",
    file: (day: string) => `conversation-${day}.txt`,
  },
  composer: {
    label: "Write to the agent",
    placeholder: "Write instead of speaking",
    send: "Send",
    failed: "This was not sent. Try again.",
  },
  details: {
    title: "Session details",
    id: "Session",
    started: "Started",
    answered: "Server answered after",
    connected: "You were connected after",
    agentCame: "The agent was there after",
    agentSpoke: "It spoke after",
    startup: "Start of the agent, by the server",
    prewarmed: "Agent was ready before",
    answers: "Its answers took",
    answersValue: (median: string, count: number) => `${median} (median of ${count})`,
    yes: "yes",
    no: "no",
    unknown: "not known",
  },
  over: {
    title: "The call is over",
    again: "Talk again",
    back: "Back to the start",
    length: (text: string) => `It lasted ${text}.`,
    reload: "Load the page again",
    /** By the API's `reason`; for another one, its own words. */
    reasons: {
      agent_hung_up: "The agent has hung up.",
      forgotten: "All that was kept of you was deleted, and the call was ended with it.",
      no_user: "You were not in the call for too long.",
      replaced: "You have started another call.",
      room_closed: "The call was ended by whoever runs this page.",
      room_gone: "The connection of the call was lost.",
      time_limit: "The time for this call is up.",
      user_away: "You did not say anything for a long time.",
      user_left: "You have left the call.",
    },
  },
  trouble: {
    retry: "Try again",
    retryAfter: (seconds: number) => `Try again in ${duration(seconds)}`,
    request: (id: string) => `For support: request ${id}`,
  },
  troubles: {
    "microphone-denied": {
      title: "Your microphone is blocked",
      next: "Allow it in your browser's site settings, beside the address, then try again. You can also write to the agent instead.",
    },
    "microphone-missing": {
      title: "No microphone found",
      next: "Connect one, then try again. You can also write to the agent instead.",
    },
    "microphone-busy": {
      title: "Your microphone is in use elsewhere",
      next: "Close the other program that uses it, then try again. You can also write to the agent instead.",
    },
    "microphone-insecure": {
      title: "Your browser blocks the microphone at this address",
      next: "Open this page over https, or on the machine itself as localhost. You can also write to the agent instead.",
    },
    "microphone-failed": {
      title: "Your microphone could not be opened",
      next: "Try again, or choose another one in the sound settings. You can also write to the agent instead.",
    },
    "rate-limited": {
      title: "Too many calls from you",
      next: "Wait a moment, then try again.",
    },
    "at-capacity": {
      title: "All agents are busy",
      next: "Try again in a moment.",
    },
    unauthorized: {
      title: "You are not signed in",
      next: "The token is missing, wrong or too old. Sign in again where you got it.",
    },
    unreachable: {
      title: "The server does not answer",
      next: "Check your connection, then try again: if there was a call, you go on with it.",
    },
    "media-unreachable": {
      title: "The call could not be connected",
      next: "The server answers, but its sound does not get through. A firewall or VPN may block it: try another network.",
    },
    "connection-lost": {
      title: "The connection was lost",
      next: "It did not come back within a minute. Check your network, then start again.",
    },
    "taken-over": {
      title: "The call goes on somewhere else",
      next: "You have opened it in another tab or on another device.",
    },
    "session-failed": {
      title: "No agent could take your call",
      next: "This is our fault, not yours. Try again in a moment.",
    },
    "session-lost": {
      title: "The call has failed",
      next: "This is our fault, not yours. Start again.",
    },
    "place-lost": {
      title: "Your place in line was given up",
      next: "The server did not hear of this page for a while, usually because the computer was asleep. Start again.",
    },
    broken: {
      title: "Something went wrong in this page",
      next: "Load the page again. If that does not help, try another browser, and tell whoever runs this page.",
    },
    refused: {
      title: "The server refused the call",
      next: "Try again; if that does not help, tell whoever runs this page.",
    },
  } satisfies Record<TroubleKind, { title: string; next: string }>,
};

/** Returns a time in words: "40 s", "3 min", "1 h 5 min". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Returns a time on the scale of latencies: "340 ms", "1.2 s". */
export function latency(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
