import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Until there is an app, there is one page, which the tests build: `vite build test/page`.
export default defineConfig({ plugins: [react()] });
