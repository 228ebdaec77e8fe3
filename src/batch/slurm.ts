import { join } from "node:path";
import { shellWord } from "../core/shell-word.ts";
import { answerOf, becomes, type JobPlan, type JobScript, type Scheduler, submit } from "./scheduler.ts";

/** Where Slurm does not say, its own default. */
const MAX_ARRAY_SIZE = 1001;
/** Seconds before the time limit at which a shard is told to save; Slurm may be up to a minute early. */
const BEFORE_LIMIT = 60;

/**
 * Slurm: an array of shards, and a merge that begins when they have ended, however (`afterany`: `afterok` waits for
 * ever after one failure). Requeued shards go on from their checkpoint and append to their output.
 */
export const slurm: Scheduler = {
  name: "slurm",

  async mostShards() {
    const { out } = await answerOf("scontrol", ["show", "config"]);
    return Number(/^MaxArraySize\s*=\s*(\d+)/m.exec(out)?.[1] ?? MAX_ARRAY_SIZE) - 1;
  },

  shardScripts(plan) {
    return [shardsScript(plan)];
  },

  mergeScript(plan) {
    return {
      path: join(plan.folder.path, "merge.sh"),
      text: [
        "#!/bin/sh",
        ...headOf(plan, "merge", "slurm-merge-%j.out"),
        "#SBATCH --requeue",
        ...plan.options.map((option) => `#SBATCH ${option}`),
        becomes(plan, "merge"),
      ].join("\n"),
    };
  },

  async submitShards(plan) {
    const { path } = shardsScript(plan);
    return [await submit("sbatch", ["--parsable", `--array=${rangesOf(plan.shards)}`, path])];
  },

  async submitMerge(plan, after) {
    const { path } = slurm.mergeScript(plan);
    const wait = after.length === 0 ? [] : [`--dependency=afterany:${after.join(":")}`];
    return await submit("sbatch", ["--parsable", ...wait, path]);
  },

  async alive(jobs) {
    const { code, out, err } = await answerOf("squeue", ["-h", "-o", "%F %T %r", "-j", jobs.join(",")]);
    // So it says of a single job that it has forgotten.
    if (code !== 0) return /Invalid job id/i.test(err) ? new Map() : undefined;
    return new Map(
      out
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const [id = "", state = "", ...reason] = line.split(" ");
          return [id, reason.join(" ") === "None" ? state : `${state} (${reason.join(" ")})`];
        }),
    );
  },
};

function shardsScript(plan: JobPlan): JobScript {
  return {
    path: join(plan.folder.path, "shards.sh"),
    text: [
      "#!/bin/sh",
      ...headOf(plan, "shards", "slurm-%A-%a.out"),
      `#SBATCH --array=${rangesOf(plan.shards)}`,
      `#SBATCH --signal=B:USR2@${BEFORE_LIMIT}`,
      "#SBATCH --requeue",
      ...plan.options.map((option) => `#SBATCH ${option}`),
      becomes(plan, "shard", '"$SLURM_ARRAY_TASK_ID"'),
    ].join("\n"),
  };
}

function headOf({ folder, manifest }: JobPlan, what: string, out: string): string[] {
  return [
    `#SBATCH --job-name=sacla-${manifest.run}-${what}`,
    `#SBATCH --output=${shellWord(join(folder.path.replaceAll("%", "%%"), out))}`,
    // A requeue would cut the output off.
    "#SBATCH --open-mode=append",
    "#SBATCH --ntasks=1",
  ];
}

/** `0-3,7` */
function rangesOf(shards: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const index of shards) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(",");
}

/** The task this process is, for `scontrol requeue`; undefined outside of Slurm. */
export function slurmTask(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { SLURM_ARRAY_JOB_ID: array, SLURM_ARRAY_TASK_ID: task, SLURM_JOB_ID: job } = env;
  return array === undefined || task === undefined ? job : `${array}_${task}`;
}

/** Has Slurm begin this job again, later. @returns whether it will */
export async function requeue(task: string): Promise<boolean> {
  return (await answerOf("scontrol", ["requeue", task])).code === 0;
}
