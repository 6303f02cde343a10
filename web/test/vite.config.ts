import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** For the small pages that the tests of the API build, each from its own folder. */
export default defineConfig({ plugins: [react()] });
