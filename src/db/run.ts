import { type CallOptions, sleep } from "../core/async.ts";
import { type DetectorGroup, groupDetectors } from "../core/detector.ts";
import { SaclaError } from "../core/errors.ts";
import { asFinite, badArgument, checkOptions } from "../core/guards.ts";
import { TagList } from "../core/tags.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { RunInfo } from "../transport/methods.ts";
import { APIError, ask } from "./api-error.ts";
import { RunTags } from "./run-tags.ts";
import { labelShots, type ShotLabels } from "./shot-labels.ts";
import { SignalColumn } from "./signal-column.ts";
import { matchNames } from "./signal-names.ts";
import { SignalTable } from "./signal-table.ts";
import { readXrayStates } from "./xray-states.ts";

/** @internal Milliseconds between two looks at a run's status, unless told otherwise. */
export const DEFAULT_POLL_MS = 1000;

export interface RunTagsOptions extends CallOptions {
  /** Only tags for which this detector has an image. */
  readonly detector?: string | undefined;
}

export interface WaitOptions extends CallOptions {
  /** Milliseconds between two looks at the status. @default 1000 */
  readonly pollMs?: number | undefined;
}

/**
 * One run of a beamline. What is recorded about it is a snapshot, taken when the Run was made and again by
 * {@link refresh}; tags, signals and detectors are asked for when needed. Made by `db.run(bl, run)`.
 *
 * @example
 * const run = await db.run(3, 651251);
 * const dark = await run.darkTags();
 * const exposed = (await run.tags()).minus(dark);
 */
export class Run {
  readonly bl: number;
  readonly run: number;
  readonly #endpoint: Endpoint;
  #info: RunInfo;

  constructor(endpoint: Endpoint, bl: number, run: number, info: RunInfo) {
    this.#endpoint = endpoint;
    this.bl = bl;
    this.run = run;
    this.#info = info;
  }

  /** The dictionary of `read_runinfo` at the last load. */
  get info(): RunInfo {
    return this.#info;
  }

  get hightag(): number {
    return this.#info.hightagnumber;
  }

  get comment(): string {
    return this.#info.comment;
  }

  /** At the last load: 0 stopped (ready to read), 1 paused, 2 running. */
  get status(): number {
    return this.#info.runstatus;
  }

  get startTime(): Date {
    return new Date(this.#info.starttime * 1000);
  }

  /** Final only when {@link status} is 0. */
  get stopTime(): Date {
    return new Date(this.#info.stoptime * 1000);
  }

  /** Loads the snapshot anew and gives this same Run. @throws UNKNOWN_RUN */
  async refresh(options?: CallOptions): Promise<this> {
    this.#info = await ask(this.#endpoint, "db.readRuninfo", { bl: this.bl, run: this.run }, options);
    return this;
  }

  /**
   * Waits until the run has stopped, then refreshes and gives this same Run. A paused run has not stopped.
   * @throws TIMEOUT when `timeoutMs` has passed
   * @throws ABORTED when the signal fires
   */
  async waitUntilStopped(options: WaitOptions = {}): Promise<this> {
    const {
      signal,
      timeoutMs,
      pollMs = DEFAULT_POLL_MS,
    } = checkOptions("waitUntilStopped", options, ["signal", "timeoutMs", "pollMs"]);
    asFinite("pollMs", pollMs, 1);
    const deadline = timeoutMs === undefined ? Infinity : performance.now() + asFinite("timeoutMs", timeoutMs, 0);
    for (;;) {
      const left = deadline - performance.now();
      // Looked at least once, whatever the time allowed.
      await this.refresh({ signal, timeoutMs: left === Infinity ? undefined : Math.max(left, 1) });
      if (this.status === 0) return this;
      if (left <= 0) {
        throw new SaclaError(
          "TIMEOUT",
          `Run ${this.run} of beamline ${this.bl} did not stop within ${timeoutMs} ms (status ${this.status}).`,
          {
            details: { bl: this.bl, run: this.run, status: this.status, timeoutMs },
          },
        );
      }
      await sleep(Math.min(pollMs, left), signal);
    }
  }

  /**
   * Tags of the run that have images, ascending; all so far while it is still running.
   * @throws UNKNOWN_DETECTOR
   */
  async tags(options: RunTagsOptions = {}): Promise<RunTags> {
    const { detector, ...call } = checkOptions("tags", options, ["detector", "signal", "timeoutMs"]);
    const { bl, run } = this;
    const tags =
      detector === undefined
        ? await ask(this.#endpoint, "db.readTaglistByrun", { bl, run }, call)
        : await ask(this.#endpoint, "db.readTaglistBydetid", { bl, run, detId: detector }, call);
    return new RunTags(this, tags);
  }

  /** Detectors of the run, each with its sensors. */
  async detectors(options?: CallOptions): Promise<DetectorGroup[]> {
    return groupDetectors(await ask(this.#endpoint, "db.readDetidlist", { bl: this.bl, run: this.run }, options));
  }

  /** Names of the signals, as `db.searchSignals`; all of them without a pattern. */
  async signals(pattern: string | RegExp = "", options?: CallOptions): Promise<string[]> {
    return matchNames(await ask(this.#endpoint, "db.readEquiplist", {}, options), pattern);
  }

  /** Photon energy the run was configured for, eV; not measured, and sometimes absurd. */
  async photonEnergyEv(options?: CallOptions): Promise<number> {
    return 1000 * (await ask(this.#endpoint, "db.readConfigPhotonenergy", { bl: this.bl, run: this.run }, options));
  }

  /**
   * One signal, by default over all tags of the run. Tags are put in ascending order, each once.
   * @throws UNKNOWN_SIGNAL
   * @throws TAG_OUTSIDE_RUN when a tag is not in the run
   */
  async column(equipId: string, tags?: Iterable<number>, options?: CallOptions): Promise<SignalColumn> {
    return (await this.table([equipId], tags, options)).column(equipId);
  }

  /**
   * Several signals aligned by tag, by default over all tags of the run. Tags are put in ascending order, each once.
   * @throws UNKNOWN_SIGNAL
   * @throws TAG_OUTSIDE_RUN when a tag is not in the run
   * @throws BAD_ARGUMENT when no signal is named, or one twice
   */
  async table(equipIds: readonly string[], tags?: Iterable<number>, options?: CallOptions): Promise<SignalTable> {
    if (equipIds.length === 0 || new Set(equipIds).size < equipIds.length)
      throw badArgument("equipIds", equipIds, "one or more names, each once");
    const shots = await this.#shots(tags, options);
    const columns = await ask(
      this.#endpoint,
      "db.readColumns",
      { equipIds: [...equipIds], hightag: this.hightag, tags: shots.values },
      options,
    );
    return new SignalTable(
      shots,
      columns.map((column) => new SignalColumn(shots, column)),
    );
  }

  /**
   * The dark tags: the leading shots of the run with the X-ray shutter closed, by the dated rule for this beamline and
   * run (`darkRuleOf`). Closed shots after the first open or contradictory one do not count: a detector alarm can give
   * nonsense there. A run taken with the shutter closed is dark as a whole; a run without dark shots gives an empty
   * list. `evidence` names the rule and the signals, `ledger` the reason for every other shot.
   * @param tags - look among these only; the head is always that of the whole run
   * @throws UNKNOWN_SIGNAL when the source has none of the signals of the rule: nothing is guessed from others
   */
  async darkTags(tags?: Iterable<number>, options?: CallOptions): Promise<RunTags> {
    const { shots, evidence, stateOf } = await readXrayStates(this, await this.#shots(tags, options), options);
    return shots.select((tag) => (stateOf(tag) === "dark" ? null : stateOf(tag)), evidence);
  }

  /**
   * The tags with X-rays on the sample, by the same rule as {@link darkTags}; `ledger` has the dark and the doubtful
   * shots.
   * @throws UNKNOWN_SIGNAL as {@link darkTags}
   */
  async exposedTags(tags?: Iterable<number>, options?: CallOptions): Promise<RunTags> {
    const { shots, evidence, stateOf } = await readXrayStates(this, await this.#shots(tags, options), options);
    return shots.select((tag) => (stateOf(tag) === "exposed" ? null : stateOf(tag)), evidence);
  }

  /**
   * Every shot as `dark`, `on` (X-rays and pump laser), `off` (X-rays, no pump laser) or `dropped` with a reason.
   * @throws UNKNOWN_SIGNAL when the source has no X-ray shutter signal of the rule, or no pump-laser signal
   */
  async labels(tags?: Iterable<number>, options?: CallOptions): Promise<ShotLabels> {
    return await labelShots(this, await this.#shots(tags, options), options);
  }

  async #shots(tags: Iterable<number> | undefined, options: CallOptions | undefined): Promise<RunTags> {
    if (tags === undefined) return await this.tags(options);
    if (tags instanceof TagList && tags.hightag !== this.hightag) {
      throw badArgument("HighTag of the tags", tags.hightag, `${this.hightag}, that of run ${this.run}`);
    }
    const shots = new RunTags(this, tags instanceof TagList ? tags.values : tags);
    const { start_tagnumber: start, end_tagnumber: end } = this.#info;
    // A run that was running at the last load has grown since.
    const limit = this.status === 0 ? end : Infinity;
    const outside = [shots.at(0), shots.at(-1)].find((tag) => tag !== undefined && (tag < start || tag >= limit));
    if (outside !== undefined) {
      throw new APIError(
        "TAG_OUTSIDE_RUN",
        `Tag ${outside} is outside run ${this.run} of beamline ${this.bl}, which has tags ${start} to ${end - 1}.`,
        {
          details: { bl: this.bl, run: this.run, tag: outside, start, end },
        },
      );
    }
    return shots;
  }
}
