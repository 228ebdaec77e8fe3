import { Argument, type Command } from "commander";
import type { DetectorGroup } from "../core/detectors.ts";
import { droppedWords, type Ledger } from "../core/ledger.ts";
import type { Run } from "../db/index.ts";
import { commonModeLevels, correct, type DarkSource, type QuickLook, quickLook } from "../reduce/index.ts";
import type { Picture, PictureOptions } from "../reduce/picture.ts";
import {
  type ChoiceOptions,
  type Chosen,
  chooseDark,
  chooseShots,
  type DarkOptions,
  withChoice,
  withDark,
} from "./choices.ts";
import { findDetector, findRun, runArgument, type Session } from "./command.ts";
import { checkFolder } from "./io.ts";

/** Options of the commands that average a run. */
export interface AverageOptions extends ChoiceOptions, DarkOptions {
  readonly commonMode?: boolean | undefined;
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
  return withDark(withChoice(command, "exposed")).option(
    "--common-mode",
    "take off what the pixels of each readout port drift together, image by image",
  );
}

/** What the user named: the run, the detector, the shots, and where the dark comes from. */
export interface Selected {
  readonly run: Run;
  readonly detector: DetectorGroup;
  readonly dark: DarkSource;
  readonly chosen: Chosen;
}

export async function findSelection(
  session: Session,
  options: AverageOptions,
  [number, id]: DetectorArguments,
): Promise<Selected> {
  if (options.out !== undefined) checkFolder(options.out);
  const run = await findRun(session, number);
  const detector = await findDetector(run, id);
  const chosen = await chooseShots(session, run, options, "exposed");
  return { run, detector, chosen, dark: await chooseDark(session, run, [detector.id], options) };
}

/** Averages and histograms of a detector, with a progress line. */
export async function averageRun(session: Session, options: AverageOptions, selected: Selected): Promise<QuickLook> {
  const { run, detector, dark, chosen } = selected;
  return await session.progress(`run ${run.number} ${detector.id}`, async (update) => {
    return await quickLook(session.facility.st, run, detector, {
      dark,
      tags: chosen.tags,
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
  { run, detector, dark, chosen }: Selected,
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
        tags: chosen.tags,
        signal: session.signal,
        onProgress: (_, done, total) => update(done, total),
      }),
  );
}

/** The account in one line for people. */
export function ledgerLine(ledger: Ledger): string {
  const { asked, used, dropped, notes = {} } = ledger;
  const reasons = droppedWords(dropped);
  const noted = Object.entries(notes).map(([what, times]) => `${times} ${what}`);
  return (
    `${used} of ${asked} shots used` +
    `${reasons === "" ? "" : `, dropped: ${reasons}`}${noted.length === 0 ? "" : `; noted: ${noted.join(", ")}`}` +
    commonModeWords(ledger)
  );
}

/** What the common mode took, and by how much light may have moved it; empty when none was taken. */
function commonModeWords(ledger: Ledger): string {
  const ports = Object.values(commonModeLevels(ledger))
    .flat()
    .filter(({ found }) => found > 0);
  if (ports.length === 0) return "";
  const levels = ports.map(({ meanAdu }) => meanAdu);
  const bias = Math.max(...ports.map(({ biasAdu }) => biasAdu));
  const [least, most] = [Math.min(...levels), Math.max(...levels)].map((level) => level.toFixed(2));
  return (
    `; common mode: ${least} to ${most} ADU taken from ${ports.length} ports, ` +
    `which light may have moved by up to ${bias.toPrecision(2)} ADU`
  );
}

/** A file name part from a detector group. */
export function fileStem(run: Run, detector: DetectorGroup | { id: string }, what: string): string {
  return `${run.number}-${detector.id}-${what}`;
}
