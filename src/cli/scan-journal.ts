import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isSaclaError, SaclaError } from "../core/errors.ts";
import { plainTime } from "../core/time-text.ts";
import { writeFailed } from "../files/index.ts";
import { Journal, type Plan } from "../scan/index.ts";
import type { Io } from "./io.ts";
import { userFolder } from "./settings.ts";

/**
 * Where journals are that nobody named: `$XDG_STATE_HOME/sacla/scans`, else `~/.local/state/sacla/scans`; undefined
 * where the environment names no such folder.
 */
function journalFolder({ env }: Pick<Io, "env">): string | undefined {
  const state = userFolder(env, "state");
  return state === undefined ? undefined : join(state, "scans");
}

/** A new journal: the file that was named, or one in the user's folder for it; says which. @throws WRITE_FAILED */
export function newJournal(
  io: Pick<Io, "env" | "err">,
  { journal }: { readonly journal?: string | false | undefined },
  plan: Plan,
  bl: number,
  context: Readonly<Record<string, unknown>>,
): Journal | undefined {
  const folder = journalFolder(io);
  if (journal === false || (journal === undefined && folder === undefined)) {
    io.err("no journal: this scan cannot be resumed\n");
    return undefined;
  }
  const made =
    journal === undefined ? createIn(folder ?? "", plan, bl, context) : Journal.create(journal, plan, context);
  io.err(`journal: ${made.path}\n`);
  return made;
}

function createIn(folder: string, plan: Plan, bl: number, context: Readonly<Record<string, unknown>>): Journal {
  const time = plainTime(new Date()).replace(/[-:]/g, "").replace(" ", "-");
  const name = join(folder, `${time}-bl${bl}-${plan.name.replace(/[^\w-]+/g, "-").slice(0, 60)}`);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw elsewhere(writeFailed(folder, cause));
  }
  for (let n = 1; ; n++) {
    try {
      return Journal.create(`${name}${n === 1 ? "" : `-${n}`}.journal`, plan, context);
    } catch (error) {
      if (isSaclaError(error, "FILE_EXISTS") && n < 100) continue;
      throw isSaclaError(error, "WRITE_FAILED") ? elsewhere(error) : error;
    }
  }
}

function elsewhere(error: SaclaError): SaclaError {
  return new SaclaError(
    "WRITE_FAILED",
    `${error.message} It would be the journal of the scan. Nothing was moved. ` +
      "Name another place with --journal FILE, or go without it: --no-journal.",
    { details: error.details, cause: error },
  );
}

/** The newest journal that nobody named whose scan is not done. @throws FILE_NOT_FOUND when there is none */
export function newestJournal(io: Io): string {
  const folder = journalFolder(io);
  for (const path of folder === undefined ? [] : newestFirst(folder)) {
    const journal = Journal.open(path);
    journal.close();
    if (journal.ended !== "done") return path;
  }
  throw new SaclaError(
    "FILE_NOT_FOUND",
    `No scan that could go on has a journal in ${folder ?? "the user's state folder"}; name it: sacla resume FILE.`,
  );
}

function newestFirst(folder: string): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith(".journal"))
    .map((name) => join(folder, name))
    .map((path) => ({ path, time: statSync(path).mtimeMs }))
    .sort((a, b) => b.time - a.time)
    .map(({ path }) => path);
}
