import {
  BatchFolder,
  EXIT_STOPPED,
  mergeReduction,
  reduceInProcesses,
  reduceShard,
  requeue,
  shardSetting,
  shardState,
  slurmTask,
} from "../../batch/index.ts";
import { toSaclaError } from "../../core/errors.ts";
import { badArgument } from "../../core/guards.ts";
import { type AddCommand, type CommandResult, declare, parseWhole, type Session } from "../command.ts";
import { saclaCommand } from "../reducing.ts";

/** A job that has been restarted so often without an end is not restarted again. */
const MOST_RESTARTS = 100;

/** `sacla reduce-job shard | merge FOLDER`: what the jobs of `sacla reduce` run. */
export const reduceJob: AddCommand = (program, io) =>
  declare<object, [string, string, number | undefined]>(
    program,
    io,
    "reduce-job",
    "what the jobs of sacla reduce run: one shard, or the merge, of its folder",
    (command) =>
      command
        .argument("<what>", "shard or merge")
        .argument("<folder>", "the folder beside the result file, RESULT.parts")
        .argument("[shard]", "number of the shard", parseWhole),
    async (session, _options, [what, path, shard]) => {
      const folder = new BatchFolder(path);
      if (what === "merge") return await merge(session, folder);
      if (what !== "shard" || shard === undefined) throw badArgument("what", what, "shard with its number, or merge");
      return await oneShard(session, folder, shard);
    },
    // The manifest says where the images are.
    (_options, [, path]) => ({ url: new BatchFolder(path).manifest().url }),
  );

async function sourceOf({ facility, signal }: Session, folder: BatchFolder) {
  const manifest = folder.manifest();
  const run = await facility.db.run(manifest.bl, manifest.run, { signal });
  return { manifest, source: { db: facility.db, st: facility.st, run } };
}

async function oneShard(session: Session, folder: BatchFolder, index: number): Promise<CommandResult> {
  const { io, signal } = session;
  // Slurm's word that the time limit is near.
  const limit = new AbortController();
  const near = (): void => limit.abort();
  process.on("SIGUSR2", near);
  try {
    const { manifest, source } = await sourceOf(session, folder);
    const before = shardState(folder, manifest, index, false).done;
    const setting = await shardSetting(folder, manifest, source.run);
    let shown = performance.now();
    const isWhole = await reduceShard(source, folder, manifest, index, setting, {
      stop: AbortSignal.any([signal, limit.signal]),
      onProgress: (done) => {
        if (performance.now() - shown < 200) return;
        shown = performance.now();
        io.out(`progress ${done}\n`);
      },
    });
    const { done, total } = shardState(folder, manifest, index, false);
    const isAgain = !isWhole && limit.signal.aborted && done > before && (await backToSlurm(io.env));
    return {
      json: { shard: index, done, total, isWhole },
      text: `shard ${index}: ${done} of ${total} shots${isAgain ? "; given back to Slurm for the rest" : ""}`,
      exitCode: isWhole ? 0 : EXIT_STOPPED,
    };
  } finally {
    process.off("SIGUSR2", near);
  }
}

async function backToSlurm(env: Readonly<Record<string, string | undefined>>): Promise<boolean> {
  const task = slurmTask(env);
  return task !== undefined && Number(env["SLURM_RESTART_COUNT"] ?? 0) < MOST_RESTARTS && (await requeue(task));
}

async function merge(session: Session, folder: BatchFolder): Promise<CommandResult> {
  const { io, signal } = session;
  const { manifest, source } = await sourceOf(session, folder);
  const jobs = Math.max(1, Number(io.env["SLURM_CPUS_PER_TASK"] ?? 1) || 1);
  try {
    const { partial } = await mergeReduction(source, folder, manifest, {
      stop: signal,
      redo: async (shards) => {
        await reduceInProcesses(folder, manifest, shards, { jobs, command: saclaCommand(), stop: signal });
        return undefined;
      },
    });
    const { used, asked } = partial.ledger;
    return { json: { out: manifest.out, used, asked }, text: `${manifest.out}: ${used} of ${asked} shots used` };
  } catch (error) {
    // Who watches reads it here. One that was stopped is begun again.
    if (!signal.aborted) folder.log(folder.logPath, "merge-failed", { message: toSaclaError(error).message });
    throw error;
  }
}
