import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkReductionRequest, type ResultSummary, requestDigest } from "../batch/index.ts";
import { isSaclaError, SaclaError, toSaclaError } from "../core/errors.ts";
import { badArgument, isRecord } from "../core/guards.ts";
import { type PlainRow, parquetRows, type Run } from "../db/index.ts";
import { makeFolder, replaceFile } from "../files/index.ts";
import type { Session } from "./command.ts";
import { type ReducingOptions, reduceRun } from "./reducing.ts";

/** What became of one run: a row of the table. */
interface RunRow {
  readonly digest: string;
  readonly row: PlainRow;
}

interface RunsReduced {
  readonly folder: string;
  readonly table: string;
  readonly done: readonly number[];
  readonly failed: readonly { readonly run: number; readonly message: string }[];
  /** Done by an earlier call with the same request. */
  readonly kept: readonly number[];
}

/** `1520000-1520060`, or one number. @throws BAD_ARGUMENT */
export function parseRuns(text: string): readonly [first: number, last: number] {
  const [, first = "", last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (first === "" || Number(first) > Number(last))
    throw badArgument("--runs", text, "FIRST-LAST, such as 1520000-1520060");
  return [Number(first), Number(last)];
}

/**
 * Each run to a result file of its own, and one table with a row for each run, written anew after every one. A run that
 * fails does not end the others. What is there already of the same request is kept.
 */
export async function reduceRuns(
  session: Session,
  [first, last]: readonly [first: number, last: number],
  request: unknown,
  folder: string,
  options: ReducingOptions & { readonly follow?: boolean | undefined },
): Promise<RunsReduced> {
  const digest = requestDigest(checkReductionRequest(request));
  const path = resolve(folder);
  makeFolder(path);
  const rows = new Map<number, PlainRow>();
  const [done, kept, failed]: [number[], number[], { run: number; message: string }[]] = [[], [], []];
  const table = join(path, "runs.parquet");
  for await (const run of runsOf(session, first, last, options.follow === true)) {
    const old = options.overwrite === true ? undefined : rowOf(path, run.number, digest);
    if (old !== undefined) kept.push(run.number);
    const row = old ?? (await rowFor(session, run, request, path, digest, options));
    if (typeof row["error"] === "string") {
      failed.push({ run: run.number, message: row["error"] });
      session.io.err(`run ${run.number}: ${row["error"]}\n`);
    } else if (old === undefined) done.push(run.number);
    rows.set(run.number, row);
    replaceFile(table, await parquetRows([...rows].sort(([a], [b]) => a - b).map(([, each]) => each)));
  }
  if (rows.size === 0)
    throw new SaclaError("UNKNOWN_RUN", `No run from ${first} to ${last} of beamline ${session.bl} has stopped.`);
  return { folder, table, done, failed, kept };
}

async function rowFor(
  session: Session,
  run: Run,
  request: unknown,
  folder: string,
  digest: string,
  options: ReducingOptions,
): Promise<PlainRow> {
  const { facility } = session;
  const about = { run: run.number, start: run.startTime.toISOString(), comment: run.comment };
  try {
    const source = { db: facility.db, st: facility.st, run };
    // Another request's result of the same run gives way: it is in no table any more.
    const out = join(folder, `${run.number}.h5`);
    const { account } = await reduceRun(session, source, request, out, { ...options, overwrite: true, wait: true });
    const { asked, used, summary } = account ?? { asked: null, used: null, summary: {} as ResultSummary };
    const row: PlainRow = { ...about, asked, used, ...summary };
    replaceFile(rowPath(folder, run.number), `${JSON.stringify({ digest, row } satisfies RunRow)}\n`);
    return row;
  } catch (error) {
    // A full disk, and Ctrl+C, are of all runs.
    if (session.signal.aborted || isSaclaError(error, "WRITE_FAILED", "FILE_IN_USE")) throw error;
    const { code, message } = toSaclaError(error);
    return { ...about, error: `${code}: ${message}` };
  }
}

async function* runsOf(
  { facility, bl, io, signal }: Session,
  first: number,
  last: number,
  follow: boolean,
): AsyncGenerator<Run, void, undefined> {
  if (follow) {
    const newest = await facility.db.readRunnumberNewest(bl, { signal });
    for await (const run of facility.runs({ bl, follow: true, last: Math.max(0, newest - first + 1), signal })) {
      if (run.number >= first && run.number <= last) yield run;
      if (run.number >= last) return;
    }
    return;
  }
  for (let number = first; number <= last; number++) {
    let run: Run;
    try {
      run = await facility.db.run(bl, number, { signal });
    } catch (error) {
      if (!isSaclaError(error, "UNKNOWN_RUN")) throw error;
      continue;
    }
    if (run.status === 0) yield run;
    else io.err(`run ${number} has not stopped yet: left out; --follow waits for it\n`);
  }
}

function rowPath(folder: string, run: number): string {
  return join(folder, `${run}.row.json`);
}

function rowOf(folder: string, run: number, digest: string): PlainRow | undefined {
  const path = rowPath(folder, run);
  if (!existsSync(path) || !existsSync(join(folder, `${run}.h5`))) return undefined;
  const found: unknown = JSON.parse(readFileSync(path, "utf8"));
  return isRecord(found) && found["digest"] === digest ? (found as unknown as RunRow).row : undefined;
}
