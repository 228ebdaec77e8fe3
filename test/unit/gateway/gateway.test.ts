import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { itNeeding, pythonWith } from "../../support/optional.ts";

const folder = fileURLToPath(new URL("../../../gateway", import.meta.url));
const python = pythonWith("zmq", "numpy");

/** What the gateway's own tests print, and whether they passed. */
function runPythonTests(): Promise<{ passed: boolean; printed: string }> {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
  return new Promise((resolve) => {
    execFile(python ?? "", ["-m", "unittest", "discover", "-s", "tests", "-t", "."], { cwd: folder, env }, (error, stdout, stderr) => {
      resolve({ passed: error === null, printed: stdout + stderr });
    });
  });
}

itNeeding(
  python !== undefined,
  "no Python with pyzmq and numpy; set SACLA_TEST_PYTHON",
  "the Python gateway passes its own tests",
  async () => {
    const { passed, printed } = await runPythonTests();
    expect(passed, printed).toBe(true);
    const count = Number(/^Ran (\d+) tests/m.exec(printed)?.[1]);
    expect(count).toBeGreaterThan(40);
    console.info(`the Python gateway: ${count} tests of its own passed`);
  },
  300_000,
);
