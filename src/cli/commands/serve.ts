import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { InvalidArgumentError, Option } from "commander";
import { connect } from "../../connect.ts";
import { SaclaError, show, toSaclaError } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import type { TlsFiles } from "../../server/index.ts";
import { type AddCommand, collect, parseWhole } from "../command.ts";
import { untilStopped } from "../io.ts";
import { type KaraboOptions, startKarabo, withKaraboOptions } from "../karabo.ts";
import { loadServer } from "../load-server.ts";
import { controlOverMadoca } from "../madoca.ts";

interface ServeOptions extends KaraboOptions {
  readonly zmq: readonly string[];
  readonly http?: HostPort;
  readonly keys?: string;
  readonly audit?: string;
  readonly bl: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly madoca?: string;
  readonly leases: string;
  readonly json?: boolean;
}
interface HostPort {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_ZMQ = "tcp://127.0.0.1:5555";
const DEFAULT_HTTP: HostPort = { host: "127.0.0.1", port: 5580 };
/** More than a script asks one by one, less than what keeps others waiting. */
const REQUESTS_PER_SECOND = 5000;
/** On this computer all programs are one client. */
const OPEN_ON_LOOPBACK = 4096;

/** `sacla serve [SOURCE]`: lets other programs and computers ask a source. */
export const serve: AddCommand = (program, io) => {
  const command = program
    .command("serve")
    .description("serve a source over ZeroMQ and HTTP until Ctrl+C; on this computer alone unless told otherwise")
    .argument("[source]", "what to serve: sim:, an .h5 file, another server (default: SACLA_URL, else sim:)")
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
    .option("--bl <beamline>", "beamline whose live shots go to karabo-bridge", parseWhole, 3)
    .option("--json", "print one JSON object when it is ready");
  withKaraboOptions(command).action(async (source: string | undefined, options: ServeOptions) => {
    const { Keys, Limits, openAudit, ServerMetrics, serve: startServer, pino } = await loadServer();
    const url = source ?? io.env["SACLA_URL"] ?? (options.madoca === undefined ? "sim:" : undefined);
    if (url === undefined) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        "With --madoca devices are real, so simulated data must be asked for: " +
          "name the source of the data, or sim: to rehearse.",
      );
    }
    const { zmq, http } = withDefaults(options);
    const tls = tlsFiles(options);
    const keys = options.keys === undefined ? undefined : Keys.open(options.keys);
    await using facility = await connect(url);
    const logger = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write: (line) => io.err(line) });
    // Closed after the server: nobody begins anything any more when the leases end.
    await using madoca =
      options.madoca === undefined
        ? undefined
        : await controlOverMadoca(
            facility.endpoint,
            options.madoca,
            { path: options.leases, addresses: addressesOf(zmq, http) },
            logger,
          );
    const endpoint = madoca?.endpoint ?? facility.endpoint;
    const audit = options.audit === undefined ? undefined : await openAudit(options.audit);
    try {
      await using server = await startServer(endpoint, {
        zmq,
        http: http === undefined ? undefined : { ...http, tls },
        keys,
        audit,
        limits: new Limits(
          keys === undefined ? { open: OPEN_ON_LOOPBACK } : { requestsPerSecond: REQUESTS_PER_SECOND },
        ),
        metrics: new ServerMetrics(),
        logger,
      });
      await using bridge = await startKarabo(endpoint, options.bl, options, logger);
      const { addresses } = server;
      madoca?.begin(addresses);
      const more = {
        ...(bridge === undefined ? {} : { karaboBridge: bridge.address }),
        ...(madoca === undefined ? {} : { madoca: madoca.json }),
      };
      if (madoca !== undefined && options.json !== true) io.out(`${madoca.text}\n`);
      io.out(
        options.json === true
          ? `${JSON.stringify({ source: url, addresses, ...more })}\n`
          : `${greeting(url, addresses, keys !== undefined)}\n`,
      );
      if (bridge !== undefined && options.json !== true) io.out(`  karabo_bridge.Client("${bridge.address}").next()\n`);
      await untilStopped(io);
    } finally {
      await audit?.close();
    }
  });
};

function withDefaults({ zmq, http }: ServeOptions): Pick<ServeOptions, "zmq" | "http"> {
  if (zmq.length > 0) return http === undefined ? { zmq } : { zmq, http };
  return http === undefined ? { zmq: [DEFAULT_ZMQ], http: DEFAULT_HTTP } : { zmq, http };
}

/** As asked for: the port may still be a free one. */
function addressesOf(zmq: readonly string[], http: HostPort | undefined): readonly string[] {
  return [...zmq, ...(http === undefined ? [] : [`http://${http.host}:${http.port}`])];
}

function tlsFiles({ tlsCert, tlsKey }: ServeOptions): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw badArgument("TLS", tlsCert ?? tlsKey, "given by both --tls-cert and --tls-key");
  return { cert: readPem(tlsCert), key: readPem(tlsKey) };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw toSaclaError(error, "FILE_NOT_FOUND", `${show(path)} cannot be read`);
  }
}

/** What is served where, and for each address a line to copy. */
function greeting(source: string, addresses: readonly string[], hasKeys: boolean): string {
  const lines = addresses.flatMap((address) => {
    const isHttp = address.startsWith("http");
    const secret = hasKeys ? (isHttp ? "SACLA_TOKEN=… " : "SACLA_KEY_FILE=… ") : "";
    const bearer = hasKeys ? '-H "Authorization: Bearer …" ' : "";
    // An address that means all of this computer's is none to connect to.
    const there = address.replace(/\/\/(0\.0\.0\.0|\[::\]):/, `//${hostname()}:`);
    const use = `  ${secret}SACLA_URL=${there} sacla runs --bl 3`;
    return isHttp ? [use, `  curl ${bearer}"${there}/v1/db/listRuns?bl=3&last=5"`] : [use];
  });
  return [`serving ${source}; stop with Ctrl+C`, ...lines].join("\n");
}

function parseHostPort(text: string): HostPort {
  const [, host, port] = /^(\[[0-9a-fA-F:]+\]|[^:/[\]]+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || port === undefined)
    throw new InvalidArgumentError("It must be HOST:PORT, such as 127.0.0.1:5580 or [::1]:5580.");
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}
