import type { Io } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/program.ts";

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly files: ReadonlyMap<string, string | Uint8Array>;
}

/** Runs the command line in this process, with files kept in memory. */
export async function cli(
  args: readonly string[],
  options: {
    signal?: AbortSignal;
    isTerminal?: boolean;
    confirm?: (question: string) => Promise<boolean>;
    onOut?: (text: string) => void;
    onErr?: (text: string) => void;
    env?: Io["env"];
    lines?: Io["lines"];
  } = {},
): Promise<CliResult> {
  let [out, err] = ["", ""];
  const files = new Map<string, string | Uint8Array>();
  const io: Io = {
    out: (text) => {
      out += text;
      options.onOut?.(text);
    },
    err: (text) => {
      err += text;
      options.onErr?.(text);
    },
    isTerminal: options.isTerminal ?? false,
    confirm: options.confirm,
    lines: options.lines,
    env: options.env ?? {},
    signal: options.signal ?? new AbortController().signal,
    writeFile: (path, content) => {
      files.set(path, content);
    },
  };
  const code = await runCli(args, io);
  return { code, out, err, files };
}
