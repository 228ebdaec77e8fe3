import type { CallOptions } from "../core/async.ts";
import type { Db } from "./db.ts";

/**
 * Why no live shot comes, in words without a capital or a full stop: shots are taken in runs.
 * @param howToStart - what is told when no run is on, such as "see sacla run start"; null: nobody can start one here
 */
export async function whyNoShots(db: Db, bl: number, howToStart: string | null, options: CallOptions): Promise<string> {
  const run = await db.readRunnumberNewest(bl, options);
  const status = await db.readRunstatus(bl, run, options);
  if (status === 1) return `run ${run} is paused`;
  if (status !== 0) return `run ${run} is on; is there beam?`;
  return `no run is on, ${run} has ended${howToStart === null ? "" : `; ${howToStart}`}`;
}
