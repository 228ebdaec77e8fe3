import { Argument, type Command } from "commander";
import type { DetectorGroup } from "../core/detectors.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Run } from "../db/index.ts";
import { correct, type DarkSource, type QuickLook, quickLook } from "../reduce/index.ts";
import type { Picture, PictureOptions } from "../reduce/picture.ts";
import { findDetector, findRun, parseWhole, runArgument, type Session } from "./command.ts";
import { checkFolder } from "./io.ts";

/** Options of the commands that average a run. */
export interface AverageOptions {
  readonly darkRun?: number | undefined;
  /** Commander's form of `--no-dark`. */
  readonly dark: boolean;
  readonly commonMode?: boolean | undefined;
  readonly limit?: number | undefined;
  /** The file that the command will write. */
  readonly out?: string | undefined;
}

/** Arguments of the commands about a detector of a run. */
export type DetectorArguments = [run: number | "newest", detector: string | undefined];

/** Adds the arguments RUN and DETECTOR. */
export function withRunAndDetector(command: Command): Command {
  return command
    .addArgument(runArgument())
    .addArgument(new Argument("[detector]", "detector or sensor (default: the one with the most sensors)"));
}

/** Adds the options of {@link AverageOptions}. */
export function withAverageOptions(command: Command): Command {
  return command
    .option(
      "--dark-run <run>",
      "take the dark from this run (default: the dark shots at the head of the run)",
      parseWhole,
    )
    .option("--no-dark", "subtract no dark")
    .option("--common-mode", "take off what the pixels of each readout port drift together, image by image")
    .option("-n, --limit <shots>", "at most this many exposed shots, and dark ones", parseWhole);
}

/** The run, the detector and the source of the dark that the user named. */
export async function findSelection(
  session: Session,
  options: AverageOptions,
  [number, id]: DetectorArguments,
): Promise<{ run: Run; detector: DetectorGroup; dark: DarkSource }> {
  if (options.out !== undefined) checkFolder(options.out);
  const run = await findRun(session, number);
  const detector = await findDetector(run, id);
  if (!options.dark) return { run, detector, dark: "none" };
  const { darkRun } = options;
  return { run, detector, dark: darkRun === undefined ? "head" : await session.facility.run(run.bl, darkRun) };
}

/** Averages and histograms of a detector, with a progress line. */
export async function averageRun(
  session: Session,
  options: AverageOptions,
  args: DetectorArguments,
): Promise<QuickLook> {
  const { run, detector, dark } = await findSelection(session, options, args);
  return await session.progress(`run ${run.number} ${detector.id}`, async (update) => {
    return await quickLook(session.facility.st, run, detector, {
      dark,
      corrections: options.commonMode === true ? [correct.commonMode()] : [],
      limit: options.limit,
      signal: session.signal,
      onProgress: (_, done, total) => update(done, total),
    });
  });
}

/** The corrected picture of a detector that was selected, with a progress line. */
export async function pictureOf(
  session: Session,
  { run, detector, dark }: Awaited<ReturnType<typeof findSelection>>,
  options: Pick<PictureOptions, "view" | "method" | "commonMode" | "limit">,
): Promise<Picture> {
  return await session.progress(
    `run ${run.number} ${detector.id}`,
    async (update) =>
      await session.facility.picture({
        ...options,
        run,
        detector,
        dark,
        signal: session.signal,
        onProgress: (_, done, total) => update(done, total),
      }),
  );
}

/** The account in one line for people. */
export function ledgerLine({ asked, used, dropped, notes = {} }: Ledger): string {
  const reasons = dropped.map(({ reason, tags }) => `${tags.length} ${reason}`).join(", ");
  const noted = Object.entries(notes).map(([what, times]) => `${times} ${what}`);
  return (
    `${used} of ${asked} shots used` +
    `${reasons === "" ? "" : `, dropped: ${reasons}`}${noted.length === 0 ? "" : `; noted: ${noted.join(", ")}`}`
  );
}

/** A file name part from a detector group. */
export function fileStem(run: Run, detector: DetectorGroup | { id: string }, what: string): string {
  return `${run.number}-${detector.id}-${what}`;
}
