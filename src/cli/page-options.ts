import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { SaclaError, show, toSaclaError } from "../core/errors.ts";
import { isRecord } from "../core/guards.ts";
import { Experiment } from "../ec/index.ts";
import type { PageDefaults, PageOptions, RunColumn } from "../page/index.ts";
import { readText } from "./read-text.ts";
import type { Settings } from "./settings.ts";

/** The file of the presets when none is named. */
export const PRESETS_FILE = "presets.jsonl";

/** The user database of the timing edges when none is named. */
export const TMA_FILE = "tma.sqlite";

/** What the page is given besides the source. */
export interface PageFiles {
  /** A module with further columns for the table of runs. */
  readonly columns?: string | undefined;
  /** The experiment file. */
  readonly experiment?: string | undefined;
  /** A folder with modules of plans. */
  readonly plans?: string | undefined;
  /** The file of the presets. */
  readonly presets?: string | undefined;
  /** The user database of the timing edges. */
  readonly tma?: string | undefined;
  /** What the page shows when its address says nothing else. */
  readonly defaults?: PageDefaults | undefined;
}

/** The options of the page's files. */
export function withPageOptions(command: Command): Command {
  return command
    .option("--experiment <file>", "experiment file: the page shows its names, units and limits")
    .option("--columns <file>", "a module with columns of your own for the page's table of runs")
    .option("--plans <folder>", "plans that the page may run, as sacla plan run does")
    .option("--presets <file>", `where the page keeps presets, JSON lines (default: ${PRESETS_FILE})`)
    .option("--tma <file>", `user database of timing edges, as sacla tma writes it (default: ${TMA_FILE})`);
}

/** What of the settings is for the page. */
export function pageDefaults({ bl, colourMap }: Settings): PageDefaults {
  return { bl, colourMap };
}

/** @throws FILE_NOT_FOUND, BAD_ARGUMENT, BAD_TEXT */
export async function pageOptions({ columns, experiment, tma, defaults }: PageFiles): Promise<PageOptions> {
  return {
    timingDb: tma ?? TMA_FILE,
    ...(defaults === undefined ? {} : { defaults }),
    ...(columns === undefined ? {} : { columns: await columnsIn(columns) }),
    ...(experiment === undefined ? {} : { experiment: await definitionIn(experiment) }),
  };
}

/** The text of an experiment file that is right. */
async function definitionIn(path: string): Promise<string> {
  await Experiment.load(path);
  return readText(path, "the experiment file");
}

/** A user's module: its default export has a function for each column. */
async function columnsIn(path: string): Promise<Readonly<Record<string, RunColumn>>> {
  if (!existsSync(path)) throw new SaclaError("FILE_NOT_FOUND", `The columns ${show(path)} are not there.`);
  let given: unknown;
  try {
    const module: unknown = await import(pathToFileURL(resolve(path)).href);
    given = isRecord(module) ? module["default"] : undefined;
  } catch (cause) {
    throw new SaclaError("BAD_ARGUMENT", `The columns ${show(path)} cannot be loaded: ${toSaclaError(cause).message}`, {
      cause,
    });
  }
  if (isRecord(given) && Object.values(given).every((column) => typeof column === "function"))
    return given as Readonly<Record<string, RunColumn>>;
  throw new SaclaError(
    "BAD_ARGUMENT",
    `${show(path)} must export functions by the names of columns as its default: ` +
      'export default { "mean of bm1": async (run) => (await run.column("…")).mean() }.',
  );
}
