import type { Command } from "commander";
import { SaclaError } from "../core/errors.ts";
import type { TmaRange } from "../timing/index.ts";
import { findRun, parseWhole, type Session } from "./command.ts";
import { TMA_FILE } from "./page-options.ts";

/** Options of every `sacla tma` command that uses the user database. */
export interface DbOptions {
  readonly db: string;
}

/** Options that say which edges of a TMA id. */
export interface RangeOptions extends DbOptions {
  readonly run?: number;
  readonly hightag?: number;
  readonly start?: number;
  readonly end?: number;
}

export function withDb(command: Command): Command {
  return command.option("--db <file>", "user database, one SQLite file", TMA_FILE);
}

export function withRange(command: Command): Command {
  return withDb(command)
    .option("--run <run>", "the tags of this run", parseWhole)
    .option("--hightag <number>", "HighTag of the tags", parseWhole)
    .option("--start <tag>", "first tag", parseWhole)
    .option("--end <tag>", "last tag, included", parseWhole);
}

/** HighTag and tags from a run or from the options. @throws BAD_ARGUMENT when neither says them, nor does `there` */
export async function rangeOf(
  session: Session,
  { run, hightag, start, end }: RangeOptions,
  there: readonly number[] = [],
): Promise<TmaRange> {
  if (run !== undefined) {
    const { info, hightag: of } = await findRun(session, run);
    return { hightag: of, start: start ?? info.start_tagnumber, end: end ?? info.end_tagnumber - 1 };
  }
  const [only, ...others] = there;
  if (hightag === undefined && (only === undefined || others.length > 0))
    throw new SaclaError(
      "BAD_ARGUMENT",
      only === undefined
        ? "Say which tags: --run, or --hightag. The TMA id has no edges yet: find them with sacla tma run."
        : `Say which tags: --run, or --hightag with one of ${there.join(", ")}.`,
    );
  return { hightag: hightag ?? only ?? NaN, start, end };
}
