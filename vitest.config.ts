import { availableParallelism } from "node:os";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { nativeFiles, nativeSources } from "./test/support/native-sources.ts";

/** Where CI wants a report for machines besides the one for people. */
const report = process.env["SACLA_TEST_REPORT"];
/** Ends a test that hangs. No test is measured by it: a loaded machine takes ten times as long as a quiet one. */
const timeoutMs =
  1000 * Number(process.env["SACLA_TEST_TIMEOUT_S"] ?? (process.env["SACLA_TEST_FULL"] === "1" ? 900 : 300));

// By default Vitest leaves one core out, which is half of two.
const cores = availableParallelism();

/** What takes longest begins first, so that nothing is waited for alone at the end. */
class ProgramsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isProgram = ({ project }: TestSpecification): number => Number(project.name === "e2e");
    return (await super.sort(files)).toSorted((a, b) => isProgram(b) - isProgram(a));
  }
}

/** Tests that compute. Files share their modules: to load them for each takes longer than most files take. */
function computing(name: string): TestProjectConfiguration {
  const include = [`test/${name}/**/*.test.ts`];
  return { extends: true, test: { name, include, isolate: false, maxWorkers: cores } };
}

/** Tests that mostly wait: for shots, for motions, for programs. So more than there are cores run at once. */
function waiting(name: string, isolate: boolean): TestProjectConfiguration {
  const include = [`test/${name}/**/*.test.ts`];
  return { extends: true, test: { name, include, isolate, maxWorkers: 2 * cores, sequence: { groupOrder: 1 } } };
}

export default defineConfig({
  plugins: [nativeSources()],
  resolve: { conditions: ["sacla-source"] },
  ssr: { resolve: { conditions: ["sacla-source"] } },
  test: {
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    sequence: { sequencer: ProgramsFirst },
    server: { deps: { external: [nativeFiles] } },
    setupFiles: ["test/support/setup.ts"],
    // Else each project makes JavaScript of the same sources again.
    experimental: { fsModuleCache: true },
    projects: [
      computing("unit"),
      computing("proofs"),
      waiting("integration", false),
      waiting("contract", false),
      waiting("e2e", true),
    ],
  },
});
