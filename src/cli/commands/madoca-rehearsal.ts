import { SaclaError, show } from "../../core/errors.ts";
import { counted } from "../../core/show.ts";
import { Experiment } from "../../ec/index.ts";
import { SimulatedMadocaServer } from "../../facility/control/madoca-server.ts";
import { createSimulatedFacility } from "../../facility/index.ts";
import type { AddCommand } from "../command.ts";
import { untilStopped } from "../io.ts";

interface Options {
  readonly json?: boolean;
}

/** `sacla madoca-rehearsal FILE`: stands in for the MADOCA server of an experiment file. */
export const madocaRehearsal: AddCommand = (program, io) => {
  program
    .command("madoca-rehearsal")
    .description(
      "answer on this computer as the MADOCA server of an experiment file would, " +
        "with simulated devices, until Ctrl+C; see sacla serve --madoca",
    )
    .argument(
      "<experiment>",
      "experiment file; its host must be this computer, its devices those of the simulated facility",
    )
    .option("--json", "print one JSON object when it is ready")
    .action(async (path: string, options: Options) => {
      const { bl, madoca } = await Experiment.load(path);
      if (madoca === undefined)
        throw new SaclaError(
          "BAD_ARGUMENT",
          `${show(path)} has no part "madoca" to rehearse; see docs/experiment-file.md.`,
        );
      const { host, port, devices, beam } = madoca;
      if (!["127.0.0.1", "localhost"].includes(host)) {
        throw new SaclaError(
          "BAD_ARGUMENT",
          `The host of the part "madoca" is ${show(host)}, but a rehearsal needs a copy of the file with "127.0.0.1".`,
        );
      }
      const facility = createSimulatedFacility();
      const server = new SimulatedMadocaServer(facility.control, { bl, devices, beam });
      try {
        await server.listen(port);
        const told =
          `answering as MADOCA at 127.0.0.1:${port} with ${counted(devices.length, "simulated device")}; ` +
          `stop with Ctrl+C\n  sacla serve sim: --madoca ${path}`;
        io.out(
          options.json === true
            ? `${JSON.stringify({ host: "127.0.0.1", port, bl, devices: devices.map(({ info }) => info.name) })}\n`
            : `${told}\n`,
        );
        await untilStopped(io);
      } finally {
        await server.close();
        facility.close();
      }
    });
};
