import { Option } from "commander";
import { rock as rockPlan } from "../../scan/index.ts";
import { type AddCommand, type CommandResult, declare, parseCount, parseNumber, type Session } from "../command.ts";
import { cell, view } from "../control.ts";
import { curveSettings, type PointFlags, shutterOption, tellEnd, whereOption } from "../curve-options.ts";
import { conditionsOf } from "../scan-beam.ts";
import { type ScanningOptions, withScanning } from "../scan-options.ts";
import { runPlan } from "../scanning.ts";
import { contextOf, requireSignals } from "./scan.ts";

type RockSettings = Parameters<typeof rockPlan>[0] & { readonly axis: string };

interface Options extends ScanningOptions, PointFlags {
  readonly signal: string;
  readonly go: "peak" | "centre" | "back";
  readonly shape: "gaussian" | "lorentzian" | "pseudo-voigt" | "darwin";
  readonly relative?: boolean;
  readonly where: string[];
}

/** `sacla rock AXIS FROM TO POINTS --signal ID --go peak`: a rocking curve, and where the axis is to stand then. */
export const rock: AddCommand = (program, io) =>
  declare<Options, [string, number, number, number]>(
    program,
    io,
    "rock",
    "rocking curve of one axis, then to its peak or centre, or back: shows what it takes, then asks",
    (command) =>
      withScanning(
        command
          .argument("<axis>", "name of the experiment file, or control name")
          .argument("<from>", "in the unit of the axis", parseNumber)
          .argument("<to>", "included", parseNumber)
          .argument("<points>", "number of positions", parseCount)
          .requiredOption("--signal <id>", "whose peak is looked for")
          .addOption(
            new Option("--go <where>", "where the axis goes then")
              .choices(["peak", "centre", "back"])
              .default("back", "back to where it was"),
          )
          .addOption(
            new Option("--shape <shape>", "of the peak")
              .choices(["gaussian", "lorentzian", "pseudo-voigt", "darwin"])
              .default("gaussian"),
          )
          .option("-r, --relative", "from and to are relative to where the axis is")
          .option("--shots <n>", "good shots at each point", parseCount, 30)
          .addOption(whereOption())
          .addOption(shutterOption("the shots of each point"))
          .option("--settle <s>", "seconds between a move and the first shot", parseNumber, 0),
      ),
    async (session, options, [axis, from, to, points]) => {
      const shift = options.relative === true ? await (await view(session)).axis(axis).position() : 0;
      const normaliseBy = options.normalise ?? options.monitor ?? `xfel_bl_${session.bl}_tc_bm_1_pd/charge`;
      const common = curveSettings(options, await conditionsOf(session, options.where), normaliseBy, {
        from: from + shift,
        to: to + shift,
        points,
      });
      await requireSignals(session, common.shots.signals ?? []);
      const settings: RockSettings = { ...common, axis, go: options.go, shape: options.shape };
      const context = { command: "rock", settings, ...contextOf(options) };
      return await runRock(session, { ...options, normalise: normaliseBy }, settings, context);
    },
  );

/** Runs it, or goes on with it, and says where the axis stands. */
export async function runRock(
  session: Session,
  options: ScanningOptions,
  settings: RockSettings,
  context: Readonly<Record<string, unknown>>,
  resumes?: string,
): Promise<CommandResult> {
  const plan = rockPlan(settings);
  const { axis } = settings;
  const { unit } = (await view(session)).axis(axis);
  const answer = await runPlan(session, options, plan, context, resumes);
  const places = { peak: "the peak", centre: "the centre of gravity", back: "where it was before" } as const;
  // What was found is in the answer already.
  return tellEnd(plan, answer, ({ standsAt }) => {
    const place = places[settings.go ?? "back"];
    return `${axis} stands at ${cell(standsAt)} ${unit}, ${place}`;
  });
}
