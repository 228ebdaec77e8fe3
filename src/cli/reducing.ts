import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import {
  BatchFolder,
  type JobPlan,
  lastJobs,
  type Manifest,
  mergeReduction,
  pbs,
  planReduction,
  type ReductionSource,
  type ResultSummary,
  reduceInProcesses,
  reduceShard,
  type Scheduler,
  type ShardInHand,
  type ShardSetting,
  type ShardSize,
  shardSetting,
  shardState,
  slurm,
  submitJobs,
  watchJobs,
} from "../batch/index.ts";
import { SaclaError, show } from "../core/errors.ts";
import { FileOwner, makeFolder } from "../files/index.ts";
import type { Session } from "./command.ts";
import { checkFolder } from "./io.ts";

/** How the work is done, as the options of `sacla reduce` say. */
export interface ReducingOptions {
  readonly url?: string | undefined;
  readonly overwrite?: boolean | undefined;
  readonly restart?: boolean | undefined;
  readonly jobs: number;
  readonly shards?: number | undefined;
  readonly minutes?: number | undefined;
  readonly slurm?: boolean | undefined;
  readonly pbs?: boolean | undefined;
  readonly batchOption: readonly string[];
  /** Commander's form of `--no-wait`. */
  readonly wait: boolean;
  readonly keep?: boolean | undefined;
  /** Seconds between two saved states of a piece. */
  readonly checkpoint: number;
}

/** How many shots were used, and why the others were not. */
interface ShotAccount {
  readonly asked: number;
  readonly used: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** What there is to tell of shots used, and of how many. Merges by earlier versions have none. */
  readonly notes?: Readonly<Record<string, number>>;
  /** Single numbers of the reducers. */
  readonly summary: ResultSummary;
}

/** What became of a reduction. */
export interface Reducing {
  readonly out: string;
  /** Undefined when the jobs go on without this process. */
  readonly account: ShotAccount | undefined;
  readonly shards: number;
  readonly note: string | undefined;
}

/** Work for a job, when neither --shards nor --minutes is given. */
const JOB_MINUTES = 10;

/** What `sacla` is in this process: program, its options and the file. */
export function saclaCommand(): string[] {
  const options = process.execArgv.filter((argument) => !argument.startsWith("--inspect"));
  return [process.execPath, ...options, resolve(process.argv[1] ?? "")];
}

/** One run to its result file, here or by a scheduler. */
export async function reduceRun(
  session: Session,
  source: ReductionSource,
  request: unknown,
  out: string,
  options: ReducingOptions,
): Promise<Reducing> {
  const path = resolve(out);
  checkFolder(path);
  const folder = BatchFolder.of(path);
  const isDone = folder.hasManifest && lastEvent(folder) === "merged";
  if (existsSync(path) && options.overwrite !== true && !isDone)
    throw new SaclaError("FILE_EXISTS", `${show(out)} is there already. Give --overwrite, or another name.`);
  makeFolder(folder.path);
  const owner = await FileOwner.claim(folder.ownerPath);
  let account: ShotAccount | undefined;
  try {
    if (options.restart === true || (isDone && options.overwrite === true)) clear(folder);
    const { manifest, isOld, setting } = await planned(session, source, request, path, options, folder);
    if (isOld) session.io.err(`going on with ${folder.path}\n`);
    const scheduler = schedulerOf(options);
    if (scheduler === undefined) await here(session, source, folder, manifest, options, setting);
    else await byScheduler(session, scheduler, folder, manifest, options, owner);
    account = accountOf(folder);
    const note = `the jobs go on; the same command watches them. What they do is in ${folder.path}`;
    return {
      out,
      account,
      shards: manifest.shards.length,
      note: account === undefined ? note : undefined,
    };
  } finally {
    owner.close();
    // Also when it ended before anything was begun, such as with a request that does not fit.
    if ((account !== undefined && options.keep !== true) || !folder.hasManifest)
      rmSync(folder.path, { recursive: true, force: true });
  }
}

async function planned(
  session: Session,
  source: ReductionSource,
  request: unknown,
  out: string,
  options: ReducingOptions,
  folder: BatchFolder,
): Promise<Awaited<ReturnType<typeof planReduction>>> {
  return await session.progress(`run ${source.run.number} dark`, async (update) => {
    return await planReduction(source, request, {
      url: options.url ?? "sim:",
      out,
      folder,
      size: sizeOf(options),
      checkpointSeconds: options.checkpoint,
      most: await schedulerOf(options)?.mostShards(),
      signal: session.signal,
      onProgress: (_step, done, total) => update(done, total),
    });
  });
}

function sizeOf({ shards, minutes, jobs, slurm: bySlurm, pbs: byPbs }: ReducingOptions): ShardSize {
  if (shards !== undefined && minutes !== undefined)
    throw new SaclaError("BAD_ARGUMENT", "Give --shards or --minutes, not both.");
  if (minutes !== undefined) return { minutes };
  if (shards !== undefined) return { shards };
  return bySlurm === true || byPbs === true ? { minutes: JOB_MINUTES } : { shards: jobs };
}

function schedulerOf(options: Pick<ReducingOptions, "slurm" | "pbs">): Scheduler | undefined {
  if (options.slurm === true && options.pbs === true)
    throw new SaclaError("BAD_ARGUMENT", "Give --slurm or --pbs, not both.");
  return options.slurm === true ? slurm : options.pbs === true ? pbs : undefined;
}

/** In this process, or in several of this computer. */
async function here(
  session: Session,
  source: ReductionSource,
  folder: BatchFolder,
  manifest: Manifest,
  { jobs, keep }: ReducingOptions,
  known: ShardSetting | undefined,
): Promise<void> {
  const { signal: stop } = session;
  await session.progress(`run ${manifest.run}`, async (update) => {
    const isAlone = manifest.shards.length === 1 && keep !== true;
    const redo = async (shards: readonly number[]): Promise<ShardInHand | undefined> => {
      if (jobs > 1) {
        await reduceInProcesses(folder, manifest, shards, { jobs, command: saclaCommand(), stop, onProgress: update });
        return undefined;
      }
      const setting = known ?? (await shardSetting(folder, manifest, source.run));
      let inHand: ShardInHand | undefined;
      const take = (shard: ShardInHand): void => {
        inHand = shard;
      };
      const states = manifest.shards.map((_, index) => shardState(folder, manifest, index, false));
      const done = states.map((state) => state.done);
      const total = states.reduce((n, state) => n + state.total, 0);
      for (const index of shards) {
        const others = done.reduce((n, shots, k) => (k === index ? n : n + shots), 0);
        await reduceShard(source, folder, manifest, index, setting, {
          stop,
          onProgress: (shots) => {
            done[index] = shots;
            update(others + shots, total);
          },
          onWhole: isAlone ? take : undefined,
        });
        if (stop.aborted) break;
      }
      return inHand;
    };
    try {
      await mergeReduction(source, folder, manifest, { redo, stop });
    } catch (error) {
      if (!stop.aborted) throw error;
      session.io.err(`what is done is kept in ${folder.path}; the same command goes on\n`);
      throw new SaclaError("ABORTED", "stopped", { cause: error });
    }
  });
}

/** Submits what is open, and waits, when asked, until the merge job is done. */
async function byScheduler(
  session: Session,
  scheduler: Scheduler,
  folder: BatchFolder,
  manifest: Manifest,
  options: ReducingOptions,
  owner: FileOwner,
): Promise<void> {
  const { io, signal } = session;
  const plan = planOf(folder, manifest, options);
  const last = lastJobs(folder);
  const known = last === undefined ? [] : [...last.jobs.shards, last.jobs.merge];
  const alive = known.length === 0 ? new Map() : await scheduler.alive(known);
  const isOver = last?.later.some(({ event }) => event === "merged") === true;
  if (!isOver && (alive === undefined || alive.size === 0)) {
    const { shards, merge } = await submitJobs(scheduler, plan);
    io.err(`submitted ${plan.shards.length} shards as ${shards.join(", ") || "no job"}, merge as ${merge}\n`);
  } else if (!isOver) io.err(`jobs ${known.join(", ")} are there already: watching them\n`);
  // Others may watch as well.
  owner.close();
  if (!options.wait) return;
  await session.progress(`run ${manifest.run}`, async (update) => {
    await watchJobs(scheduler, plan, { signal, onProgress: (done, total) => update(done, total) });
  });
}

function planOf(folder: BatchFolder, manifest: Manifest, { batchOption }: ReducingOptions): JobPlan {
  const open = manifest.shards.flatMap((_, index) =>
    shardState(folder, manifest, index, true).state === "whole" ? [] : [index],
  );
  return { folder, manifest, shards: open, command: saclaCommand(), cwd: process.cwd(), options: batchOption };
}

/** The account of a reduction, once it is merged, by whatever process. */
function accountOf(folder: BatchFolder): ShotAccount | undefined {
  const { later } = lastJobs(folder) ?? { later: folder.entries(folder.logPath) };
  const merged = later.findLast(({ event }) => event === "merged");
  return merged === undefined ? undefined : (merged as unknown as ShotAccount);
}

/** The scripts of a reduction, without anything written or submitted. */
export async function previewReduction(
  session: Session,
  source: ReductionSource,
  request: unknown,
  out: string,
  options: ReducingOptions,
): Promise<{ readonly manifest: Manifest; readonly scripts: readonly { path: string; text: string }[] }> {
  const beside = BatchFolder.of(resolve(out));
  const temporary = new BatchFolder(mkdtempSync(join(tmpdir(), "sacla-dry-run-")));
  try {
    const { manifest } = await planned(session, source, request, out, options, temporary);
    const scheduler = schedulerOf(options);
    const plan = { ...planOf(temporary, manifest, options), folder: beside };
    const scripts = scheduler === undefined ? [] : [...scheduler.shardScripts(plan), scheduler.mergeScript(plan)];
    return { manifest, scripts };
  } finally {
    rmSync(temporary.path, { recursive: true, force: true });
  }
}

function lastEvent(folder: BatchFolder): string | undefined {
  return folder.entries(folder.logPath).at(-1)?.event;
}

/** All but the claims, which this process holds. */
function clear(folder: BatchFolder): void {
  const shards = folder.hasManifest ? folder.manifest().shards.length : 0;
  for (const path of [folder.manifestPath, folder.darkPath, folder.logPath]) rmSync(path, { force: true });
  for (let index = 0; index < shards; index++) {
    const { checkpoint, log } = folder.shard(index);
    for (const path of [checkpoint, `${checkpoint}.damaged`, log]) rmSync(path, { force: true });
  }
}
