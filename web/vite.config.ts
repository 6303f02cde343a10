// The pages: the call page at / and the fleet console at /console. The embeddable script has a
// configuration of its own, as it is one file for other people's sites.

import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Where the API is while pages are being developed; `make web-dev` sets it. */
const API = process.env["VOICEFLEET_API_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), consoleAddress()],
  // Two copies of the client would not know each other's classes.
  resolve: { dedupe: ["livekit-client", "react", "react-dom"] },
  server: { port: 3000, strictPort: true, host: "127.0.0.1", proxy: { "/api": API, "/embed": API } },
  build: {
    target: "es2022",
    // LiveKit's client is half of it.
    chunkSizeWarningLimit: 1000,
    // The policy of the pages allows no inlined fonts or scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ["index.html", "console.html"] },
  },
});

/** The token server calls the page /console; so does the server of developers. */
function consoleAddress(): Plugin {
  return {
    name: "console-address",
    configureServer(server) {
      server.middlewares.use((request, _, next) => {
        if (request.url === "/console") request.url = "/console.html";
        next();
      });
    },
  };
}
