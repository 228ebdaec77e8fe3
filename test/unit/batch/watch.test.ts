import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { BatchFolder, type Manifest } from "../../../src/batch/folder.ts";
import type { JobPlan, Scheduler } from "../../../src/batch/scheduler.ts";
import { watchJobs } from "../../../src/batch/watch.ts";

let path = "";
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "sacla-watch-"));
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(path, { recursive: true });
});

/** A scheduler that says what `alive` has, with the times at which it was asked, in ms. */
function watched(alive: Map<string, string>) {
  const folder = new BatchFolder(path);
  folder.log(folder.logPath, "submitted", { scheduler: "slurm", shards: ["1"], merge: "2" });
  const plan: JobPlan = { folder, manifest: { shards: [] } as unknown as Manifest } as JobPlan;
  const asked: number[] = [];
  const start = Date.now();
  const submitMerge = vi.fn(async () => "3");
  const scheduler = {
    name: "slurm",
    alive: async () => {
      asked.push(Date.now() - start);
      return new Map(alive);
    },
    submitMerge,
  } as unknown as Scheduler;
  const ended = vi.fn();
  const done = watchJobs(scheduler, plan, { signal: new AbortController().signal }).then(ended);
  return { folder, asked, submitMerge, ended, done };
}

it("asks the scheduler soon after a change, then less and less often", async () => {
  const alive = new Map([
    ["1", "RUNNING"],
    ["2", "PENDING (Dependency)"],
  ]);
  const { folder, asked, done } = watched(alive);
  await vi.advanceTimersByTimeAsync(60_000);
  const steps = (): number[] => asked.slice(1).map((time, k) => time - (asked[k] ?? 0));
  expect(steps().slice(0, 3)).toEqual([500, 750, 1125]);
  expect(steps().at(-1)).toBe(5000);
  expect(asked.length).toBeLessThan(20);
  alive.delete("1");
  const { length } = asked;
  await vi.advanceTimersByTimeAsync(8000);
  expect(steps().slice(length, length + 3)).toEqual([500, 750, 1125]);
  folder.log(folder.logPath, "merged");
  await vi.advanceTimersByTimeAsync(1000);
  await done;
});

it("ends within a second of the merge's word, however rarely the scheduler is asked", async () => {
  const { folder, asked, ended } = watched(new Map([["2", "RUNNING"]]));
  await vi.advanceTimersByTimeAsync(60_000);
  const { length } = asked;
  folder.log(folder.logPath, "merged");
  await vi.advanceTimersByTimeAsync(1000);
  expect(ended).toHaveBeenCalledOnce();
  expect(asked.length - length).toBeLessThan(2);
});

it("takes a job for lost only after three answers that are seconds apart", async () => {
  const { folder, submitMerge, done } = watched(new Map([["1", "RUNNING"]]));
  await vi.advanceTimersByTimeAsync(9500);
  expect(submitMerge).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1000);
  expect(submitMerge).toHaveBeenCalledOnce();
  folder.log(folder.logPath, "merged");
  await vi.advanceTimersByTimeAsync(1000);
  await done;
});
