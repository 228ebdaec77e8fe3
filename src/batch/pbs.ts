import { join } from "node:path";
import { shellWord } from "../core/shell-word.ts";
import { answerOf, becomes, type JobPlan, type JobScript, type Scheduler, submit } from "./scheduler.ts";

/** Each shard is a job of its own. */
const MOST_JOBS = 500;

/**
 * PBS Professional, OpenPBS and Torque: a job for each shard, since they name the index of an array differently and
 * some not at all; nothing is read from the environment of a job. The merge begins when all have ended, however.
 */
export const pbs: Scheduler = {
  name: "pbs",

  async mostShards() {
    return MOST_JOBS;
  },

  shardScripts(plan) {
    return plan.shards.map((index) => shardScript(plan, index));
  },

  mergeScript(plan) {
    return scriptOf(plan, "merge", []);
  },

  async submitShards(plan) {
    const ids: string[] = [];
    for (const index of plan.shards)
      ids.push(await submit("qsub", argumentsOf(plan, shardName(index), shardScript(plan, index))));
    return ids;
  },

  async submitMerge(plan, after) {
    const wait = after.length === 0 ? [] : ["-W", `depend=afterany:${after.join(":")}`];
    return await submit("qsub", [...wait, ...argumentsOf(plan, "merge", pbs.mergeScript(plan))]);
  },

  async alive(jobs) {
    const found = new Map<string, string>();
    for (const job of jobs) {
      const { code, out, err } = await answerOf("qstat", [job]);
      if (code === 0) {
        // Ended jobs are listed for a while, as C or F.
        const state = /\s([A-Z])\s+\S+\s*$/m.exec(out)?.[1] ?? "?";
        if (state !== "C" && state !== "F") found.set(job, state);
      } else if (!/unknown job|invalid job|has finished/i.test(`${out}${err}`)) return undefined;
    }
    return found;
  },
};

function shardScript(plan: JobPlan, index: number): JobScript {
  return scriptOf(plan, shardName(index), [String(index)]);
}

function shardName(index: number): string {
  return `shard-${String(index).padStart(4, "0")}`;
}

/** What the script says, once more: the qsub of Slurm (slurm-wlm-torque 22.05) reads no `#PBS` lines. */
function argumentsOf({ folder, options }: JobPlan, name: string, { path }: JobScript): string[] {
  const further = options.flatMap((option) => option.split(/\s+/));
  return ["-j", "oe", "-o", join(folder.path, `${name}.out`), ...further, path];
}

function scriptOf(plan: JobPlan, name: string, index: readonly string[]): JobScript {
  const { folder, options } = plan;
  return {
    path: join(folder.path, `${name}.sh`),
    text: [
      "#!/bin/sh",
      // No longer than 15 letters: Torque refuses longer names.
      `#PBS -N ${index.length === 0 ? "sacla-merge" : `sacla-${index[0]}`}`,
      "#PBS -j oe",
      `#PBS -o ${shellWord(join(folder.path, `${name}.out`))}`,
      ...options.map((option) => `#PBS ${option}`),
      becomes(plan, index.length === 0 ? "merge" : "shard", ...index),
    ].join("\n"),
  };
}
