import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Where CI wants a report for machines besides the one for people. */
const report = process.env["SACLA_TEST_REPORT"];
/** Ends a test that hangs. No test is measured by it: a loaded machine takes ten times as long as a quiet one. */
const timeoutMs = 1000 * Number(process.env["SACLA_TEST_TIMEOUT_S"] ?? 300);

export default defineConfig({
  resolve: { conditions: ["sacla-source"] },
  ssr: { resolve: { conditions: ["sacla-source"] } },
  test: {
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    // By default Vitest leaves one core out, which is half of two.
    maxWorkers: availableParallelism(),
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    projects: [
      // No sockets, no processes of ours: the files share their modules, which halves the time.
      { extends: true, test: { name: "unit", include: ["test/unit/**/*.test.ts"], isolate: false } },
      { extends: true, test: { name: "integration", include: ["test/integration/**/*.test.ts"] } },
      { extends: true, test: { name: "contract", include: ["test/contract/**/*.test.ts"] } },
      {
        extends: true,
        // One program at a time, and after all others.
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
