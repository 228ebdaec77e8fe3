import { DbApiError as APIError } from "../core/api-errors.ts";
import type { CallOptions } from "../core/async.ts";
import { asInteger } from "../core/guards.ts";
import { MirroredDb } from "./mirrored-db.ts";
import { findNearestDark, type NearestDarkOptions } from "./nearest-dark.ts";
import type { Run } from "./run.ts";
import { loadRun, type RunsOptions, streamRuns } from "./run-stream.ts";
import { matchNames } from "./signal-names.ts";

/**
 * The database of runs, tags and 0-D signals: every function of Python's `dbpy` (see {@link MirroredDb}), and above
 * them runs as objects.
 *
 * @example
 * const run = await db.newestRun(3);
 * const bm1 = await run.column("xfel_bl_3_tc_bm_1_pd/charge");
 */
export class Db<N extends string = string> extends MirroredDb {
  /** Beamlines this source knows, e.g. [1, 2, 3]. */
  async beamlines(options?: CallOptions): Promise<number[]> {
    return await this.ask("db.listBeamlines", {}, options);
  }

  /**
   * A run. A negative number counts from the newest: −1 is the newest run, −2 the one before.
   * @throws UNKNOWN_BEAMLINE
   * @throws UNKNOWN_RUN when there is no such run (as {@link MirroredDb.APIError})
   */
  async run(bl: number, run: number, options?: CallOptions): Promise<Run<N>> {
    if (run >= 0) return await loadRun(this.endpoint, bl, run, options);
    const back = asInteger("run counted from the newest", -run, 1, 100_000);
    const runs = await this.ask("db.listRuns", { bl, last: back }, options);
    const number = runs.at(-back);
    if (number === undefined) {
      throw new APIError(
        "UNKNOWN_RUN",
        `There is no run ${run} on beamline ${bl}: counted from the newest, it has only ${runs.length}.`,
        {
          details: { bl, run },
        },
      );
    }
    return await loadRun(this.endpoint, bl, number, options);
  }

  /** The newest run of a beamline, which may still be running. @throws UNKNOWN_RUN when there is none yet */
  async newestRun(bl: number, options?: CallOptions): Promise<Run<N>> {
    return await loadRun(this.endpoint, bl, await this.readRunnumberNewest(bl, options), options);
  }

  /**
   * The run with dark shots at its head that is nearest in time to a run, or that run itself; undefined when none of
   * its neighbours has any. Runs that go on are left out.
   * @example
   * const dark = await db.nearestDark(run, { detector: "MPCCD-8N0-3-002" });
   * if (dark !== undefined) await facility.picture({ run, dark });
   */
  async nearestDark(run: Run<N>, options: NearestDarkOptions = {}): Promise<Run<N> | undefined> {
    return await findNearestDark(run, options);
  }

  /**
   * Equipment ids that fit a pattern: a text that occurs in the name; a glob for the whole name when the text has `*`
   * or `?`; or a RegExp. Text and glob ignore case.
   * @example await db.searchSignals("xfel_bl_3_*bm_1_pd/charge");
   */
  async searchSignals(pattern: string | RegExp, options?: CallOptions): Promise<string[]> {
    return matchNames(await this.readEquiplist(options), pattern);
  }

  /**
   * The last runs of a beamline, ascending, whatever their status.
   *
   * With `follow` it never ends: each run is given **once, when it has stopped**, beginning with the newest one there
   * is (at once if it has stopped already). None is skipped, however many end between two requests; a run that never
   * stops does not hold back those after it. Leave the loop with `break`; an aborted `signal` throws ABORTED.
   * @throws UNKNOWN_BEAMLINE
   * @throws ABORTED when the signal fires
   * @example for await (const run of db.runs({ bl: 3, follow: true })) console.log(run.number, run.comment);
   */
  runs(options: RunsOptions): AsyncIterable<Run<N>> {
    return streamRuns(this.endpoint, options);
  }
}
