import { Option } from "commander";
import { SaclaError, toSaclaError } from "../../core/errors.ts";
import { scan as stepScan } from "../../scan/index.ts";
import {
  type AddCommand,
  collect,
  declare,
  inUnit,
  parseCount,
  parseNumber,
  parseTyped,
  parseWhole,
  type Session,
  type Typed,
} from "../command.ts";
import { view } from "../control.ts";
import { type PointFlags, shutterOption, whereOption } from "../curve-options.ts";
import { ownSignals } from "../own-signals.ts";
import { type GoTo, goToAnswer } from "../scan-answers.ts";
import { beamOptions, conditionsOf, repeatOf } from "../scan-beam.ts";
import { type ScanningOptions, withScanning } from "../scan-options.ts";
import { runPlan } from "../scanning.ts";

interface Options extends ScanningOptions, PointFlags {
  readonly signal: string[];
  readonly where: string[];
  readonly repeat?: number;
  readonly go?: GoTo;
}

/** `sacla scan AXIS FROM TO POINTS`: shows what it would take, asks, does it. */
export const scan: AddCommand = (program, io) =>
  declare<Options, [string, Typed, Typed, number]>(
    program,
    io,
    "scan",
    "scan one axis in equal steps: shows how long it would take, then asks",
    (command) =>
      withScanning(
        command
          .argument("<axis>", "name of the experiment file, or control name")
          .argument("<from>", "in the unit of the axis, or with its own: -1ps", parseTyped)
          .argument("<to>", "included", parseTyped)
          .argument("<points>", "number of positions", parseCount)
          .option("--shots <n>", "good shots at each point", parseCount, 30)
          .option(
            "--signal <id>",
            "kept of every shot; can be repeated (default: those of the experiment)",
            collect,
            [],
          )
          .addOption(shutterOption("the shots of each point"))
          .addOption(whereOption())
          .option(
            "--repeat <attempts>",
            "take a point again when fewer than half of its shots were good, so many attempts in all",
            parseWhole,
          )
          .addOption(
            new Option(
              "--go <where>",
              "afterwards, to the centre of the fitted peak or of gravity; asks first",
            ).choices(["peak", "centre"]),
          )
          .option("--settle <s>", "seconds between a move and the first shot", parseNumber, 0),
      ),
    async (session, options, [axis, first, last, points]) => {
      const { unit } = (await view(session)).axis(axis);
      const [from, to] = [inUnit(first, unit, axis), inUnit(last, unit, axis)];
      const { shots: count, signal, pumpedBy, shutter, settle, where, repeat } = options;
      const { normalise, go } = options;
      const wanted = signal.length > 0 ? signal : ownSignals(session, axis);
      const signals = [...new Set([...wanted, ...[pumpedBy, normalise].filter((one) => one !== undefined)])];
      const { beam, monitor } = options;
      const rule =
        beam === undefined ? undefined : (await beamOptions(session, options, options.bl ?? session.bl)).beam;
      const good = await conditionsOf(session, where);
      await requireSignals(session, [
        ...signals,
        ...(monitor === undefined ? [] : [monitor]),
        ...(good.conditions ?? []).map(({ signalName }) => signalName),
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
          ...good,
          ...(repeat === undefined ? {} : { repeat: repeatOf(repeat) }),
        },
        settleSeconds: settle,
        ...(shutter === undefined ? {} : { shutter }),
      };
      const context = { command: "scan", settings, ...contextOf(options) };
      const result = await runPlan(session, options, stepScan(settings), context);
      const { table, units = {} } = result;
      if (go === undefined || table === undefined || (result.exitCode ?? 0) !== 0) return result;
      // What was measured is told before anything else moves.
      if (options.json !== true) session.io.out(`${result.text}\n`);
      const answers = table.answers({ normaliseBy: normalise });
      try {
        const moved = await goToAnswer(session, options, answers, go, from, units[axis] ?? "");
        return { ...moved, json: { ...(result.json as object), go: moved.json } };
      } catch (error) {
        // The scan is done, whatever becomes of the move: a program finds it in the details.
        const { code, message, details } = toSaclaError(error);
        throw new SaclaError(code, message, { details: { ...details, ...(result.json as object) }, cause: error });
      }
    },
  );

/** A signal that is not there must be known before an axis moves and a shutter opens. @throws UNKNOWN_SIGNAL */
export async function requireSignals({ facility, signal: stop }: Session, names: readonly string[]): Promise<void> {
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
