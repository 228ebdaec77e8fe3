import { Argument, InvalidArgumentError, Option } from "commander";
import { connect } from "../../connect.ts";
import { replayLive as play, type ReplaySpeed } from "../../live/index.ts";
import type { ServeOptions } from "../../server/index.ts";
import { hasZeromq } from "../../transport/zmq/load.ts";
import { type AddCommand, parseWhole } from "../command.ts";
import { untilStopped } from "../io.ts";
import { type KaraboOptions, startKarabo, withKaraboOptions } from "../karabo.ts";
import { loadServer } from "../load-server.ts";

interface Options extends KaraboOptions {
  readonly source: string;
  readonly bl?: number;
  readonly speed: ReplaySpeed;
  readonly zmq?: string;
  readonly http?: number;
  readonly json?: boolean;
}

const DEFAULT_PORT = 5556;
const DEFAULT_ZMQ = `tcp://127.0.0.1:${DEFAULT_PORT}`;

/** `sacla replay-live RUN`: serves a stored run as if it were being taken. */
export const replayLive: AddCommand = (program, io) => {
  withKaraboOptions(
    program
      .command("replay-live")
      .description(
        "play a stored run as if live, for rehearsals: another program connects and follows it; until Ctrl+C",
      )
      .addArgument(new Argument("<run>", "run number").argParser(parseWhole))
      .addOption(
        new Option("--source <address>", "where the run is: an .h5 file, sim:, a server")
          .env("SACLA_URL")
          .default("sim:"),
      )
      .option("--bl <beamline>", "beamline (default: the source's only one, else 3)", parseWhole)
      .option("--speed <times>", "times real speed, or max: as fast as it is read", parseSpeed, 1)
      .option("--zmq <address>", `where to serve it (default: ${DEFAULT_ZMQ}; in Deno and Bun only over HTTP)`)
      .option("--http <port>", "and over HTTP on this port of this computer", parseWhole)
      .option("--json", "print one JSON object when it is ready"),
  ).action(async (run: number, options: Options) => {
    const { serve, pino } = await loadServer();
    const logger = pino({ base: null, level: "warn" }, { write: (line) => io.err(line) });
    await using facility = await connect(options.source);
    const { endpoint } = facility;
    const [only, ...others] = await endpoint.call("db.listBeamlines", {});
    const bl = options.bl ?? (only !== undefined && others.length === 0 ? only : 3);
    const live = await play(endpoint, { bl, run, speed: options.speed });
    try {
      // First, for it may refuse: nobody shall be told before that this is served.
      await using bridge = await startKarabo(live, bl, options, logger);
      await using server = await serve(live, { ...addressesOf(options), logger });
      const { addresses } = server;
      const karabo = bridge === undefined ? {} : { karaboBridge: bridge.address };
      const ready = [
        `run ${run} of beamline ${bl}, ready to play at speed ${options.speed}; ` +
          "it begins when the first live shot is asked for",
      ];
      for (const address of addresses) ready.push(`  SACLA_URL=${address} sacla live --bl ${bl}`);
      if (bridge !== undefined) ready.push(`  karabo_bridge.Client("${bridge.address}").next()`);
      io.out(
        options.json === true
          ? `${JSON.stringify({ bl, run, speed: options.speed, addresses, ...karabo })}\n`
          : `${ready.join("\n")}\n`,
      );
      await untilStopped(io);
    } finally {
      await live.close();
    }
  });
};

function addressesOf({ zmq, http }: Options): Pick<ServeOptions, "zmq" | "http"> {
  const overZmq = zmq ?? (hasZeromq() ? DEFAULT_ZMQ : undefined);
  const port = http ?? (overZmq === undefined ? DEFAULT_PORT : undefined);
  return {
    zmq: overZmq === undefined ? [] : [overZmq],
    ...(port === undefined ? {} : { http: { host: "127.0.0.1", port } }),
  };
}

function parseSpeed(text: string): ReplaySpeed {
  if (text === "max") return text;
  const speed = Number(text);
  if (text.trim() === "" || !Number.isFinite(speed) || speed <= 0)
    throw new InvalidArgumentError("It must be a number above 0, or max.");
  return speed;
}
