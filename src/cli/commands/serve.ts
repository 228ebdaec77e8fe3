import { InvalidArgumentError, Option } from "commander";
import { SaclaError } from "../../core/errors.ts";
import { hasZeromq } from "../../transport/zmq/load.ts";
import { type AddCommand, collect, DEFAULT_BEAMLINE, parseWhole } from "../command.ts";
import { withKaraboOptions } from "../karabo.ts";
import { pageDefaults, withPageOptions } from "../page-options.ts";
import { type HostPort, type ServingTask, serveUntilStopped } from "../serving.ts";
import { readSettings } from "../settings.ts";

/** The task but for the source, which is an argument. */
type ServeOptions = Omit<ServingTask, "url" | "bl" | "defaults"> & { readonly bl?: number };

const DEFAULT_ZMQ = "tcp://127.0.0.1:5555";
const DEFAULT_HTTP: HostPort = { host: "127.0.0.1", port: 5580 };

/** `sacla serve [SOURCE]`: lets other programs and computers ask a source. */
export const serve: AddCommand = (program, io) => {
  const command = program
    .command("serve")
    .description("serve a source over ZeroMQ and HTTP until Ctrl+C; on this computer alone unless told otherwise")
    .argument(
      "[source]",
      "what to serve: sim:, an .h5 file, another server (default: SACLA_URL, sacla.json, else sim:)",
    )
    .addOption(
      new Option("--zmq <address>", "tcp://HOST:PORT or ipc:///PATH; repeat for more")
        .argParser(collect)
        .default([], `${DEFAULT_ZMQ} when --http is not given either`),
    )
    .option(
      "--http <host:port>",
      `port 0: a free one (default: ${DEFAULT_HTTP.host}:${DEFAULT_HTTP.port} when --zmq is not given either)`,
      parseHostPort,
    )
    .option("--keys <file>", "the clients, made by sacla keys; needed for addresses that other computers reach")
    .option("--audit <file>", "write every call that changes something here, one JSON object a line")
    .option("--tls-cert <file>", "certificate for HTTPS, PEM")
    .option("--tls-key <file>", "its private key, PEM")
    .option(
      "--madoca <file>",
      "control the devices that the part madoca of this experiment file names, instead of the source's",
    )
    .option(
      "--leases <file>",
      "with --madoca: where leases are written down, so that what a crash left moving is stopped; one server each",
      "sacla-leases.jsonl",
    )
    .option(
      "--requests <file>",
      "where requests to the accelerator are written down, so that what a crash left under way is put back " +
        "(default with --madoca: the file of the leases and .requests)",
    )
    .option(
      "--bl <beamline>",
      "beamline whose live shots go to karabo-bridge (default: that of sacla.json, else 3)",
      parseWhole,
    );
  withPageOptions(command).option("--json", "print one JSON object when it is ready");
  withKaraboOptions(command).action(async (source: string | undefined, options: ServeOptions) => {
    const settings = readSettings(io, source).values;
    const url = source ?? settings.url ?? (options.madoca === undefined ? "sim:" : undefined);
    if (url === undefined) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        "With --madoca devices are real, so simulated data must be asked for: " +
          "name the source of the data, or sim: to rehearse.",
      );
    }
    const { bl = settings.bl ?? DEFAULT_BEAMLINE, experiment = settings.experiment } = options;
    const defaults = pageDefaults(settings);
    await serveUntilStopped({ ...options, ...withDefaults(options), url, bl, experiment, defaults }, io);
  });
};

function withDefaults({ zmq, http }: ServeOptions): Pick<ServeOptions, "zmq" | "http"> {
  if (zmq.length > 0) return http === undefined ? { zmq } : { zmq, http };
  return http === undefined ? { zmq: hasZeromq() ? [DEFAULT_ZMQ] : [], http: DEFAULT_HTTP } : { zmq, http };
}

function parseHostPort(text: string): HostPort {
  const [, host, port] = /^(\[[0-9a-fA-F:]+\]|[^:/[\]]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || port === undefined)
    throw new InvalidArgumentError("It must be HOST:PORT, such as 127.0.0.1:5580 or [::1]:5580.");
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}
