import { type Command, Option } from "commander";
import { groupDetectors } from "../core/detectors.ts";
import type { Logger } from "../core/logger.ts";
import { Live } from "../live/index.ts";
import type { KaraboBridge } from "../server/index.ts";
import type { Endpoint } from "../transport/index.ts";
import { collect } from "./command.ts";

/** Options of commands that can give live shots to karabo-bridge clients. */
export interface KaraboOptions {
  readonly karaboBridge?: string | undefined;
  readonly karaboDetector: readonly string[];
  readonly karaboSignal: readonly string[];
}

/** Adds the options of {@link KaraboOptions}; which beamline is another option of the command. */
export function withKaraboOptions(command: Command): Command {
  return command
    .option("--karabo-bridge <address>", "give live shots to karabo-bridge clients here, such as tcp://127.0.0.1:4545")
    .addOption(
      new Option("--karabo-detector <id>", "with these detectors; repeat for more")
        .argParser(collect)
        .default([], "all"),
    )
    .addOption(
      new Option("--karabo-signal <id>", "and these signals; repeat for more").argParser(collect).default([], "none"),
    );
}

/** Starts the output for karabo-bridge when it is asked for. */
export async function startKarabo(
  endpoint: Endpoint,
  bl: number,
  options: KaraboOptions,
  logger: Logger,
): Promise<KaraboBridge | undefined> {
  const { karaboBridge: address, karaboDetector, karaboSignal: signals } = options;
  if (address === undefined) return undefined;
  const all = groupDetectors(await new Live(endpoint).readDetidlist(bl)).map(({ id }) => id);
  const shots = {
    bl,
    detectors: karaboDetector.length > 0 ? karaboDetector : all,
    signals,
    missing: "partial",
  } as const;
  // Here, so that other commands do not wait for what only a server needs.
  const { serveKaraboBridge } = await import("../server/index.ts");
  return await serveKaraboBridge(endpoint, { address, shots, logger });
}
