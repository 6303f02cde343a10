// <voicefleet-call> as one classic script, with its styles inside: three lines for another site.

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  resolve: { dedupe: ["livekit-client", "react", "react-dom"] },
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  publicDir: false,
  build: {
    target: "es2022",
    chunkSizeWarningLimit: 1000,
    outDir: "dist/embed",
    emptyOutDir: true,
    lib: {
      entry: "src/embed/element.tsx",
      formats: ["iife"],
      name: "VoicefleetCall",
      fileName: () => "voicefleet-call.js",
    },
  },
});
