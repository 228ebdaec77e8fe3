import { spawn } from "node:child_process";
import { isSaclaError } from "../../core/errors.ts";
import { defined } from "../../core/options.ts";
import { type AddCommand, DEFAULT_BEAMLINE, parseWhole } from "../command.ts";
import type { Io } from "../io.ts";
import { type PageFiles, pageDefaults, withPageOptions } from "../page-options.ts";
import { serveUntilStopped } from "../serving.ts";
import { readSettings } from "../settings.ts";

interface Options extends Omit<PageFiles, "defaults"> {
  readonly port?: number;
  readonly keys?: string;
  readonly audit?: string;
  readonly open: boolean;
  readonly json?: boolean;
}

const HOST = "127.0.0.1";
const USUAL_PORT = 5580;

/** `sacla view [SOURCE]`: the page in a browser, served for this computer alone. */
export const view: AddCommand = (program, io) => {
  const command = program
    .command("view")
    .description("look at a source in a browser, and steer it: live pictures, runs, scans; until Ctrl+C")
    .argument(
      "[source]",
      "what to look at: sim:, an .h5 file, a folder, another server (default: SACLA_URL, sacla.json, else sim:)",
    )
    .option("--port <port>", `of ${HOST} (default: ${USUAL_PORT}, or a free one when that is taken)`, parseWhole)
    .option("--keys <file>", "the clients, made by sacla keys: the page asks for a token")
    .option("--audit <file>", "write every call that changes something here, one JSON object a line");
  withPageOptions(command)
    .option("--no-open", "print the address and open no browser")
    .option("--json", "print one JSON object when it is ready")
    .action(async (source: string | undefined, options: Options) => {
      const settings = readSettings(io, source).values;
      const url = source ?? settings.url ?? "sim:";
      const { keys, audit, port, columns, plans, presets, tma } = options;
      const { bl = DEFAULT_BEAMLINE } = settings;
      const experiment = options.experiment ?? settings.experiment;
      const show = async (at: number): Promise<void> =>
        await serveUntilStopped(
          {
            url,
            zmq: [],
            http: { host: HOST, port: at },
            bl,
            defaults: pageDefaults(settings),
            leases: "sacla-leases.jsonl",
            karaboDetector: [],
            karaboSignal: [],
            isPage: true,
            json: options.json === true,
            ...defined({ keys, audit, columns, experiment, plans, presets, tma }),
          },
          io,
          ([address]) => {
            if (address !== undefined && options.open) openBrowser(`${address}/`, io);
          },
        );
      try {
        await show(port ?? USUAL_PORT);
      } catch (error) {
        const isTaken = isSaclaError(error, "UNREACHABLE") && error.details["errno"] === "EADDRINUSE";
        if (port !== undefined || !isTaken) throw error;
        await show(0);
      }
    });
};

/** Opens the browser where there is a screen; that it cannot is no failure, for the address is printed. */
function openBrowser(address: string, { env }: Io): void {
  const hasScreen = env["DISPLAY"] !== undefined || env["WAYLAND_DISPLAY"] !== undefined;
  const [program, ...args] =
    process.platform === "darwin"
      ? ["open", address]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", "", address]
        : hasScreen
          ? ["xdg-open", address]
          : [];
  if (program === undefined) return;
  spawn(program, args, { stdio: "ignore", detached: true })
    .on("error", () => {})
    .unref();
}
