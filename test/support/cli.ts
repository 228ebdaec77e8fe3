import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const tsx = createRequire(import.meta.url).resolve("tsx");
const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a TypeScript program in a process of its own, from `folder`, without a SACLA_URL unless given. `onOutput` sees
 * the process whenever it has written something.
 */
export async function runSource(
  folder: string,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  onOutput: (child: ChildProcess, out: string) => void = () => {},
): Promise<Finished> {
  const { SACLA_URL: _, ...rest } = process.env;
  const child = spawn(process.execPath, ["-C", "sacla-source", "--import", tsx, program, ...args], {
    cwd: folder,
    env: { ...rest, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    onOutput(child, out);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, out, err };
}

/** Runs the command line as {@link runSource} does. */
export async function sacla(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  onOutput: (child: ChildProcess, out: string) => void = () => {},
): Promise<Finished> {
  return await runSource(folder, main, args, env, onOutput);
}
