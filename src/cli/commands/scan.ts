import { signalId } from "../../ec/experiment.ts";
import { scan as stepScan } from "../../scan/index.ts";
import { type AddCommand, collect, declare, parseNumber, parseWhole, type Session } from "../command.ts";
import { experimentOf } from "../control.ts";
import { runPlan, type ScanningOptions, withScanning } from "../scanning.ts";

interface Options extends ScanningOptions {
  readonly shots: number;
  readonly signal: string[];
  readonly shutter?: string;
  readonly settle: number;
}

/** `sacla scan AXIS FROM TO POINTS`: shows what it would take, asks, does it. */
export const scan: AddCommand = (program, io) =>
  declare<Options, [string, number, number, number]>(
    program,
    io,
    "scan",
    "scan one axis in equal steps: shows how long it would take, then asks",
    (command) =>
      withScanning(
        command
          .argument("<axis>", "name of the experiment file, or control name")
          .argument("<from>", "in the unit of the axis", parseNumber)
          .argument("<to>", "included", parseNumber)
          .argument("<points>", "number of positions", parseWhole)
          .option("--shots <n>", "good shots at each point", parseWhole, 30)
          .option("--signal <id>", "kept of every shot; can be repeated", collect, [])
          .option("--shutter <name>", "opened for the shots of each point")
          .option("--settle <s>", "seconds between a move and the first shot", parseNumber, 0),
      ),
    async (session, options, [axis, from, to, points]) => {
      const { shots: count, signal, pumpedBy, shutter, settle } = options;
      const signals = [...new Set(pumpedBy === undefined ? signal : [...signal, pumpedBy])];
      await checkSignals(session, options, [...signals, ...(options.monitor === undefined ? [] : [options.monitor])]);
      const settings = {
        axis,
        from,
        to,
        points,
        shots: { count, signals },
        settleSeconds: settle,
        ...(shutter === undefined ? {} : { shutter }),
      };
      return await runPlan(session, options, stepScan(settings), { command: "scan", settings, ...contextOf(options) });
    },
  );

/** A signal that is not there must be known before an axis moves and a shutter opens. @throws UNKNOWN_SIGNAL */
async function checkSignals(
  { facility, signal: stop }: Session,
  options: ScanningOptions,
  names: readonly string[],
): Promise<void> {
  const experiment = await experimentOf(options);
  for (const name of names) await facility.db.readTagnumberNewest(signalId(experiment, name), { signal: stop });
}

/** What `sacla resume` must know besides the plan. */
export function contextOf({
  experiment,
  monitor,
  rate,
  bl,
  url,
  map,
  pumpedBy,
}: ScanningOptions): Readonly<Record<string, unknown>> {
  return { options: { experiment, monitor, rate, bl, url, map, pumpedBy } };
}
