import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { bundled } from "./bundled.ts";

const tsx = createRequire(import.meta.url).resolve("tsx");

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

type OnOutput = (child: ChildProcess, out: string) => void;

/**
 * Runs Node.js in a process of its own, from `folder`, without a SACLA_URL unless given. `onOutput` sees the process
 * whenever it has written something.
 */
async function run(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  onOutput: OnOutput,
): Promise<Finished> {
  const { SACLA_URL: _, ...rest } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: folder,
    // What is kept between commands stays among the files of the test.
    env: { ...rest, XDG_STATE_HOME: join(folder, "state"), ...env },
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

/** Runs a program of TypeScript, made ready by {@link bundled}. */
export async function runProgram(
  folder: string,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  onOutput: OnOutput = () => {},
): Promise<Finished> {
  return await run(folder, [await bundled(program), ...args], env, onOutput);
}

/** Runs a program of TypeScript as it stands, through tsx: slow, and as users run theirs. */
export async function runSource(folder: string, program: string, args: readonly string[]): Promise<Finished> {
  return await run(folder, ["-C", "sacla-source", "--import", tsx, program, ...args], {}, () => {});
}

/** Runs the command line. */
export async function sacla(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  onOutput: OnOutput = () => {},
): Promise<Finished> {
  return await run(folder, [await bundled(), ...args], env, onOutput);
}
