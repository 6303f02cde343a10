// <voicefleet-call>: the call in somebody else's page. One script defines it:
//
//     <script src="https://voice.example.org/embed/voicefleet-call.js" async></script>
//     <voicefleet-call></voicefleet-call>
//
// Its styles end at its border, and the page's do, too.

import livekitCss from "@livekit/components-styles/components/participant?inline";
import { createRoot, type Root } from "react-dom/client";

import type { TokenSource } from "../api/index.ts";
import { Talk } from "../talk/Talk.tsx";
import talkCss from "../talk/talk.css?inline";
import themeCss from "../ui/theme.css?inline";
import { useTheme } from "../ui/theme.ts";
import embedCss from "./embed.css?inline";

const NAME = "voicefleet-call";
/** Where the script came from is where the fleet is; known only while it is loaded. */
const HOME = document.currentScript instanceof HTMLScriptElement ? new URL(document.currentScript.src).origin : "";
const THEMES = ["system", "light", "dark"] as const;

class VoicefleetCall extends HTMLElement {
  static readonly observedAttributes = ["server", "persona", "theme"];
  private root: Root | null = null;
  private source: TokenSource | undefined;

  /** The user's token, or a function that returns one; for fleets with AUTH_MODE=jwt. */
  get token(): TokenSource | undefined {
    return this.source;
  }

  set token(source: TokenSource | undefined) {
    this.source = source;
    this.render();
  }

  connectedCallback(): void {
    // A page may have set it before this script was there, which hides the accessor.
    if (Object.hasOwn(this, "token")) {
      const early = this.token;
      Reflect.deleteProperty(this, "token");
      this.token = early;
    }
    const shadow = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [livekitCss, themeCss, talkCss, embedCss].map(sheetOf);
    const place = document.createElement("div");
    place.className = "place";
    shadow.replaceChildren(place);
    this.root = createRoot(place);
    this.render();
  }

  disconnectedCallback(): void {
    this.root?.unmount();
    this.root = null;
  }

  attributeChangedCallback(): void {
    this.render();
  }

  private render(): void {
    this.root?.render(
      <Frame theme={THEMES.find((theme) => theme === this.getAttribute("theme")) ?? "system"}>
        <Talk
          baseUrl={this.getAttribute("server") ?? HOME}
          token={this.source}
          persona={this.getAttribute("persona") ?? undefined}
          onPhase={this.tell}
        />
      </Frame>,
    );
  }

  /** Lets the page know what the call is at: `event.detail.phase`. */
  private readonly tell = (phase: string): void => {
    this.dispatchEvent(new CustomEvent("voicefleet-phase", { detail: { phase }, bubbles: true, composed: true }));
  };
}

interface FrameProps {
  theme: (typeof THEMES)[number];
  children: React.ReactNode;
}

function Frame({ theme, children }: FrameProps) {
  return (
    <div className="vf embed" data-theme={useTheme(theme)}>
      {children}
    </div>
  );
}

function sheetOf(text: string): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
}

// A page may load the script twice.
if (customElements.get(NAME) === undefined) customElements.define(NAME, VoicefleetCall);
