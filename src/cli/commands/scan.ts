import { defined } from "../../core/options.ts";
import { scan as stepScan } from "../../scan/index.ts";
import { type AddCommand, collect, declare, parseNumber, parseWhole, type Session } from "../command.ts";
import { beamOptions, repeatOf, shotCondition } from "../scan-beam.ts";
import { type ScanningOptions, withScanning } from "../scan-options.ts";
import { runPlan } from "../scanning.ts";

interface Options extends ScanningOptions {
  readonly shots: number;
  readonly signal: string[];
  readonly shutter?: string;
  readonly settle: number;
  readonly where: string[];
  readonly repeat?: number;
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
          .option(
            "--where <condition>",
            'what a good shot is, as "SIGNAL OPERATOR NUMBER"; can be repeated',
            collect,
            [],
          )
          .option(
            "--repeat <attempts>",
            "take a point again when fewer than half of its shots were good, so many attempts in all",
            parseWhole,
          )
          .option("--settle <s>", "seconds between a move and the first shot", parseNumber, 0),
      ),
    async (session, options, [axis, from, to, points]) => {
      const { shots: count, signal, pumpedBy, shutter, settle, where, repeat } = options;
      const signals = [...new Set(pumpedBy === undefined ? signal : [...signal, pumpedBy])];
      const { beam, monitor } = options;
      const rule = beam === undefined ? undefined : beamOptions({ ...options, beam }, options.bl ?? session.bl).beam;
      await checkSignals(session, [
        ...signals,
        ...(monitor === undefined ? [] : [monitor]),
        ...where.map((text) => shotCondition(text).signalName),
        ...(typeof rule === "object" ? [rule.signalName] : []),
      ]);
      const settings = {
        axis,
        from,
        to,
        points,
        shots: {
          count,
          signals,
          ...(where.length === 0 ? {} : { conditions: where.map(shotCondition) }),
          ...(repeat === undefined ? {} : { repeat: repeatOf(repeat) }),
        },
        settleSeconds: settle,
        ...defined({ shutter }),
      };
      return await runPlan(session, options, stepScan(settings), { command: "scan", settings, ...contextOf(options) });
    },
  );

/** A signal that is not there must be known before an axis moves and a shutter opens. @throws UNKNOWN_SIGNAL */
async function checkSignals({ facility, signal: stop }: Session, names: readonly string[]): Promise<void> {
  for (const name of names) await facility.db.readTagnumberNewest(name, { signal: stop });
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
  beam,
  beamWait,
}: ScanningOptions): Readonly<Record<string, unknown>> {
  return { options: { experiment, monitor, rate, bl, url, map, pumpedBy, beam, beamWait } };
}
