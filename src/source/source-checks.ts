import { checkGeometry, type DetectorInfo } from "../core/detector.ts";
import { Detectors } from "../core/detectors.ts";
import { SaclaError, showList } from "../core/errors.ts";
import type { RunInfo } from "../transport/methods.ts";
import { checkCalibrated } from "./citius-source.ts";
import type { DataSource } from "./data-source.ts";

/** Whether a source has what is asked for: beamlines, runs, detectors, tags. Else an error that says what it has. */
export class SourceChecks {
  readonly #source: DataSource;
  /** Of the run that was last asked about: each image asks for it. */
  #listed:
    | { readonly bl: number; readonly run: number; readonly ids: readonly string[]; detectors: Detectors }
    | undefined;

  constructor(source: DataSource) {
    this.#source = source;
  }

  /** @throws UNKNOWN_BEAMLINE */
  checkBeamline(bl: number): number {
    const known = this.#source.beamlines();
    if (known.includes(bl)) return bl;
    throw new SaclaError(
      "UNKNOWN_BEAMLINE",
      `There is no beamline ${bl} in ${this.#source.name}; it has ${showList(known)}.`,
      {
        details: { bl, known: [...known] },
      },
    );
  }

  /** The status of a run that exists. @throws UNKNOWN_RUN */
  async checkRun(bl: number, run: number): Promise<number> {
    const status = await this.#source.runStatus(this.checkBeamline(bl), run);
    if (status !== -1) return status;
    const newest = (await this.#source.runs(bl, 1)).at(-1);
    throw new SaclaError(
      "UNKNOWN_RUN",
      `There is no run ${run} on beamline ${bl} of ${this.#source.name}; ` +
        `the newest is ${newest ?? "not there yet"}. List runs with: sacla runs --bl ${bl}`,
      {
        details: { bl, run, newest },
      },
    );
  }

  /** Those of a run, with and without images. @throws UNKNOWN_RUN */
  async detectors(bl: number, run: number): Promise<Detectors> {
    await this.checkRun(bl, run);
    const ids = await this.#source.detectors(bl, run);
    const others = (await this.#source.detectorsWithoutImages?.(bl, run)) ?? [];
    const all = [...ids, ...others];
    const listed = this.#listed;
    // While a run goes on detectors may come to it.
    const isSame = listed?.bl === bl && listed.run === run && listed.ids.length === all.length;
    if (isSame && all.every((id, i) => id === listed.ids[i])) return listed.detectors;
    const detectors = new Detectors(all, `Run ${run} of beamline ${bl}`, { bl, run });
    this.#listed = { bl, run, ids: all, detectors };
    return detectors;
  }

  /** @throws UNKNOWN_DETECTOR, UNKNOWN_RUN */
  async detectorInfo(bl: number, run: number, detId: string): Promise<DetectorInfo> {
    const detectors = await this.detectors(bl, run);
    return checkGeometry(await this.#source.detectorInfo(bl, run, detectors.sensor(detId)));
  }

  /** @throws RUN_NOT_READY unless the run is stopped, and calibrated: the facility serves no images before */
  async checkReady(bl: number, run: number, detIds: readonly string[]): Promise<void> {
    const status = await this.checkRun(bl, run);
    if (status !== 0) {
      const word = status === 2 ? "running" : "paused";
      throw new SaclaError(
        "RUN_NOT_READY",
        `Run ${run} of beamline ${bl} is still ${word} (status ${status}); images can be read when it has stopped.`,
        {
          details: { bl, run, status },
        },
      );
    }
    await checkCalibrated(this.#source.citius, bl, run, detIds);
  }

  /** The first of the runs that has the tag. @throws TAG_OUTSIDE_RUN, UNKNOWN_RUN */
  async runWithTag(bl: number, runs: readonly number[], tag: number): Promise<number> {
    let last: unknown;
    for (const run of runs) {
      await this.checkRun(bl, run);
      try {
        checkTag(bl, run, tag, await this.#source.runInfo(bl, run));
        return run;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}

/** @throws TAG_OUTSIDE_RUN when the run's range [start, end) does not hold the tag */
export function checkTag(
  bl: number,
  run: number,
  tag: number,
  { start_tagnumber: start, end_tagnumber: end }: RunInfo,
): void {
  if (tag >= start && tag < end) return;
  throw new SaclaError(
    "TAG_OUTSIDE_RUN",
    `Tag ${tag} is outside run ${run} of beamline ${bl}, which has tags ${start} to ${end - 1}.`,
    {
      details: { bl, run, tag, start, end },
    },
  );
}
