import { execFile } from "node:child_process";
import { expect } from "vitest";
import { gatewayFolder, gatewayPython, itWithGateway } from "../../support/gateway.ts";

/** What the gateway's own tests print, and whether they passed. */
function runPythonTests(): Promise<{ passed: boolean; printed: string }> {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
  return new Promise((resolve) => {
    execFile(
      gatewayPython ?? "",
      ["-m", "unittest", "discover", "-s", "tests", "-t", "."],
      { cwd: gatewayFolder, env },
      (error, stdout, stderr) => {
        resolve({ passed: error === null, printed: stdout + stderr });
      },
    );
  });
}

itWithGateway("the Python gateway passes its own tests", async () => {
  const { passed, printed } = await runPythonTests();
  expect(passed, printed).toBe(true);
  const count = Number(/^Ran (\d+) tests/m.exec(printed)?.[1]);
  expect(count).toBeGreaterThan(40);
  console.info(`the Python gateway: ${count} tests of its own passed`);
});
