import { existsSync } from "node:fs";
import { defined } from "../../core/options.ts";
import { count, gridPositions, TargetMap } from "../../scan/index.ts";
import { type AddCommand, collect, declare, inUnit, parseCount, parseTyped, type Typed } from "../command.ts";
import { view } from "../control.ts";
import { shutterOption, whereOption } from "../curve-options.ts";
import { ownSignals } from "../own-signals.ts";
import { conditionsOf } from "../scan-beam.ts";
import { type ScanningOptions, withScanning } from "../scan-options.ts";
import { runPlan } from "../scanning.ts";
import { contextOf } from "./scan.ts";

interface Options extends ScanningOptions {
  readonly chip: string;
  readonly shots: number;
  readonly spots?: number;
  readonly signal: string[];
  readonly where: string[];
  readonly shutter: readonly string[];
  readonly selector?: string;
}
type Axis = [name: string, from: Typed, to: Typed, points: number];

/** `sacla raster X FROM TO POINTS Y FROM TO POINTS`: each point on a spot of the sample that was never shot. */
export const raster: AddCommand = (program, io) =>
  declare<Options, [...Axis, ...Axis]>(
    program,
    io,
    "raster",
    "shots on fresh spots of a sample, row by row: which spots are used is kept in a file, and the next raster goes on",
    (command) =>
      withScanning(
        command
          .argument("<x>", "axis that moves from spot to spot")
          .argument("<from>", "in its unit, or with one", parseTyped)
          .argument("<to>", "included", parseTyped)
          .argument("<points>", "number of columns", parseCount)
          .argument("<y>", "axis that moves from row to row")
          .argument("<from>", "in its unit, or with one", parseTyped)
          .argument("<to>", "included", parseTyped)
          .argument("<points>", "number of rows", parseCount)
          .addOption(shutterOption("the shots of each spot").makeOptionMandatory())
          .option("--chip <file>", "the spots and which are used; made when it is not there", "chip.map")
          .option("--spots <count>", "so many spots now (default: all that are fresh)", parseCount)
          .option("--shots <n>", "good shots on each spot", parseCount, 1)
          .option("--selector <name>", "pulse selector: one pulse for each spot")
          .option(
            "--signal <id>",
            "kept of every shot; can be repeated (default: those of the experiment)",
            collect,
            [],
          )
          .addOption(whereOption()),
      ),
    async (session, options, [x, x0, x1, columns, y, y0, y1, rows]) => {
      const looking = await view(session);
      const at = (axis: string, typed: Typed): number => inUnit(typed, looking.axis(axis).unit, axis);
      const along = (axis: string, from: Typed, to: Typed, points: number) => ({
        axis,
        from: at(axis, from),
        to: at(axis, to),
        points,
      });
      const fresh = freshSpots(options, gridPositions([along(y, y0, y1, rows), along(x, x0, x1, columns)], true));
      const settings = {
        times: Math.min(options.spots ?? fresh, fresh),
        shots: {
          count: options.shots,
          signals: options.signal.length > 0 ? options.signal : ownSignals(session),
          ...(await conditionsOf(session, options.where)),
          ...(options.where.length === 0 ? {} : { budget: { shots: 20 } }),
        },
        freshSpots: { map: "chip", shutter: options.shutter, ...defined({ selector: options.selector }) },
        giveUp: "go-on" as const,
      };
      io.err(`${options.chip}: ${fresh} of ${columns * rows} spots are fresh\n`);
      const withMap = { ...options, map: [...options.map, `chip=${options.chip}`] };
      return await runPlan(session, withMap, count(settings), { command: "raster", settings, ...contextOf(withMap) });
    },
  );

/** How many spots of the map are fresh; a map that is not there is made, but not for a dry run. */
function freshSpots({ chip }: Options, spots: ReturnType<typeof gridPositions>): number {
  const map = existsSync(chip) ? TargetMap.open(chip) : TargetMap.create(chip, spots);
  const { fresh } = map.counts;
  map.close();
  return fresh;
}
