import { availableParallelism } from "node:os";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { BaseSequencer, type InlineConfig, type TestSpecification } from "vitest/node";
import { nativeFiles, nativeSources } from "./test/support/native-sources.ts";
import { WAIT_MS } from "./test/support/until.ts";

/** Where CI wants a report for machines besides the one for people. */
const report = process.env["SACLA_TEST_REPORT"];
/** Ends a test that hangs. No test is measured by it: a loaded machine takes ten times as long as a quiet one. */
const timeoutMs =
  1000 * Number(process.env["SACLA_TEST_TIMEOUT_S"] ?? (process.env["SACLA_TEST_FULL"] === "1" ? 900 : 600));

/**
 * Many tests wait: for shots, for motions, for programs. So more files than there are cores run at once, and those that
 * compute fill the gaps of those that wait. In full, browsers and other programs compute beside the tests that began them.
 */
const maxWorkers = availableParallelism() + (process.env["SACLA_TEST_FULL"] === undefined ? 4 : 2);

/** What waits longest begins first, and what ends soonest last, so that nothing is waited for alone at the end. */
class LongestFirst extends BaseSequencer {
  static readonly #projects = ["e2e", "integration", "contract", "proofs", "unit"];
  /** Of their project the first, also where Vitest has not seen yet how long each takes. */
  static readonly #files = /\/(requests-kill|hostile-scans|align-split-delay)\.test\.ts$/;

  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project, moduleId }: TestSpecification): number =>
      2 * LongestFirst.#projects.indexOf(project.name) - Number(LongestFirst.#files.test(moduleId));
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

/** Files share their modules: to load them takes longer than most files take. */
function project(name: string, rest: InlineConfig = { isolate: false }): TestProjectConfiguration {
  return { extends: true, test: { name, include: [`test/${name}/**/*.test.ts`], maxWorkers, ...rest } };
}

const programs: InlineConfig = { isolate: true, globalSetup: "test/support/bundle-first.ts" };

export default defineConfig({
  plugins: [nativeSources()],
  resolve: { conditions: ["sacla-source"] },
  ssr: { resolve: { conditions: ["sacla-source"] } },
  test: {
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    teardownTimeout: timeoutMs,
    expect: { poll: { timeout: WAIT_MS } },
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    sequence: { sequencer: LongestFirst },
    server: { deps: { external: [nativeFiles] } },
    setupFiles: ["test/support/setup.ts"],
    // Else each project makes JavaScript of the same sources again.
    experimental: { fsModuleCache: true },
    projects: [
      project("unit"),
      project("proofs"),
      project("integration"),
      project("contract"),
      project("e2e", programs),
    ],
  },
});
