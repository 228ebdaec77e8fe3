import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommanderError, Option } from "commander";
import { show, toSaclaError } from "../../core/errors.ts";
import { type AddCommand, ANSWERED, EXIT_INTERRUPTED } from "../command.ts";
import type { Io } from "../io.ts";
import { connectLater, loadServer } from "../load-server.ts";

interface Options {
  readonly url: string;
  readonly python: string;
  readonly force?: boolean;
}

/** The folder of the Python package `sacla_python`, which is part of this package. */
const packageFolder = fileURLToPath(new URL("../../../python", import.meta.url));

/** `sacla python -- SCRIPT.py`: runs a script for dbpy, stpy and the others against a source, and stops with it. */
export const python: AddCommand = (program, io) => {
  program
    .command("python")
    .usage("[options] -- SCRIPT.py [arguments]")
    .description("run a Python script for SACLA's dbpy, stpy, olpy, ippy against a source, unchanged")
    .argument("<script...>", "the script and its arguments, after --; or -m MODULE, or -c CODE")
    .addOption(
      new Option("--url <address>", "what the script reads: sim:, an .h5 file, a gateway, another server")
        .env("SACLA_URL")
        .default("sim:"),
    )
    .addOption(
      new Option("--python <program>", "a Python of 3.8 or newer with numpy").env("SACLA_PYTHON").default("python3"),
    )
    .option("--force", "even where the real modules can be imported")
    .action(async (script: string[], options: Options) => {
      const code = await runScript(script, options, io);
      if (code !== 0) throw new CommanderError(code, ANSWERED, "");
    });
};

/** The script's exit code. @throws what keeps the source from being served */
async function runScript(script: readonly string[], { url, ...options }: Options, io: Io): Promise<number> {
  if (/^https?:/i.test(url)) return await startPython(script, options, { SACLA_URL: url }, io);
  const { Keys, newToken, serve, pino } = await loadServer();
  // Served to this script alone: others of this computer have not the token.
  using folder = temporaryFolder();
  const file = join(folder.path, "keys.json");
  const { token } = newToken(file, "sacla python", "control");
  const keys = Keys.open(file);
  const logger = pino({ base: null, level: "warn" }, { write: (line) => io.err(line) });
  await using facility = await connectLater(url);
  // In this process: one script needs no protection from other clients, and has its images sooner.
  await using server = await serve(facility.endpoint, { http: { host: "127.0.0.1", port: 0 }, keys, logger });
  return await startPython(script, options, { SACLA_URL: server.addresses[0] ?? "", SACLA_TOKEN: token }, io);
}

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "sacla-python-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

async function startPython(
  script: readonly string[],
  { python: program, force }: Omit<Options, "url">,
  address: Readonly<Record<string, string>>,
  io: Io,
): Promise<number> {
  const { SACLA_KEY_FILE: _, ...inherited } = io.env;
  const path = [packageFolder, inherited["PYTHONPATH"] ?? ""].filter(Boolean).join(delimiter);
  const child = spawn(program, ["-m", "sacla_python", "run", ...(force === true ? ["--force"] : []), ...script], {
    env: { ...inherited, ...address, PYTHONPATH: path },
    stdio: "inherit",
  });
  // A terminal's Ctrl+C reaches the script by itself; what is sent to this process alone is passed on.
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.once("SIGTERM", passOn).once("SIGHUP", passOn);
  try {
    return await exitCode(child);
  } catch (error) {
    throw toSaclaError(error, "FILE_NOT_FOUND", `${show(program)} cannot be started; name a Python with --python`);
  } finally {
    process.off("SIGTERM", passOn).off("SIGHUP", passOn);
  }
}

/** As a shell gives it: 128 and the signal's number when one ended it. */
async function exitCode(child: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? (signal === "SIGINT" ? EXIT_INTERRUPTED : 143)));
  });
}
