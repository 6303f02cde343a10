import { defineConfig } from "vitest/config";

// The logic, in Node.js; pages are tested in a browser, with the rest of the fleet behind them.
export default defineConfig({ test: { include: ["test/unit/**/*.test.ts"] } });
