import type { Command } from "commander";
import { parseFileName, parseNumber } from "./command.ts";
import { type ChangeOptions, withChange } from "./control.ts";

export interface ScanningOptions extends ChangeOptions {
  readonly rate: number;
  readonly monitor?: string | undefined;
  /** A file; false: none (`--no-journal`). */
  readonly journal?: string | false | undefined;
  readonly beam?: string | undefined;
  readonly beamWait?: number | undefined;
  readonly csv?: string | undefined;
  readonly html?: string | undefined;
  readonly plot?: string | undefined;
  readonly pumpedBy?: string | undefined;
  readonly documents?: string | undefined;
  readonly normalise?: string | undefined;
  readonly map: readonly string[];
}

/** Options of every command that runs a plan. */
export function withScanning(command: Command): Command {
  return withChange(command)
    .option("--rate <hz>", "shots per second", parseNumber, 30)
    .option("--monitor <id>", "a signal that every shot has (default: the charge of the first beam monitor)")
    .option(
      "--beam <rule>",
      'what a shot with beam is: "SIGNAL > NUMBER", a least value of the monitor, or off: all shots count ' +
        "(default: a tenth of the monitor's median just before)",
    )
    .option("--beam-wait <s>", "longest wait for the beam (default: 600 before, 3600 at a point)", parseNumber)
    .option("--journal <file>", "where it is written down, so that it can be resumed (default: a file that is named)")
    .option("--no-journal", "do not write it down")
    .option("--csv <file>", "table of the points")
    .option("--html <file>", "page with curves and table")
    .option("--plot <file>", "PNG of the curves, kept up to date while the scan goes on", parseFileName(".png"))
    .option(
      "--pumped-by <id>",
      "a signal that the plan keeps, 1 with pump and 0 without: table and curves show both and their difference",
    )
    .option(
      "--map <name=file>",
      "target map that the plan uses; can be repeated",
      (text: string, all: string[]) => [...all, text],
      [],
    )
    .option("--normalise <signal>", "answers are of the ratio to this signal, such as the beam monitor")
    .option("--documents <file>", "Bluesky event-model documents, JSON lines");
}
