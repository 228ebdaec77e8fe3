import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { atFileEnd } from "./file-end.ts";
import { itNeeding, pythonWith } from "./optional.ts";
import { pythonFolder } from "./python.ts";

export const gatewayFolder: string = fileURLToPath(new URL("../../gateway", import.meta.url));
/** A Python that has what the gateway needs; undefined when there is none. */
export const gatewayPython: string | undefined = pythonWith("zmq", "numpy");

/** A test that needs the gateway, skipped where there is no Python for it. */
export function itWithGateway(name: string, test: () => Promise<void>): void {
  itNeeding(gatewayPython !== undefined, "no Python with pyzmq and numpy; set SACLA_TEST_PYTHON", name, test);
}

/** Modules of versions that differ from the one known, and with faults. */
const oddModules = `${gatewayFolder}/tests/odd`;
/** dbpy, stpy and the others of the package sacla_python, which ask a server. */
const saclaModules = `${pythonFolder}/sacla_python/modules:${pythonFolder}`;

/** Starts a gateway whose dbpy, stpy and the others answer from the server at `url`; as {@link startGateway}. */
export async function gatewayOver(url: string, args: readonly string[] = []): Promise<string> {
  return await startGateway(args, { SACLA_URL: url }, saclaModules);
}

/** Starts a gateway over odd modules, which ends when the test file has run; its address. */
export async function startGateway(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  modules: string = oddModules,
): Promise<string> {
  const child = spawn(
    gatewayPython ?? "",
    ["-m", "sacla_gateway", "--bind", "tcp://127.0.0.1:*", "--beamlines", "2,3", "--log-level", "WARNING", ...args],
    {
      env: {
        ...process.env,
        PYTHONPATH: `${gatewayFolder}:${modules}`,
        PYTHONDONTWRITEBYTECODE: "1",
        ...env,
      },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  atFileEnd(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const address = /^listening on (\S+)$/.exec(line)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error("the gateway ended without an address");
}
