import { DbApiError as APIError } from "../core/api-errors.ts";
import { type CallOptions, callChecks, sleep, throwIfAborted } from "../core/async.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { type DetectorGroup, Detectors, groupDetectors } from "../core/detectors.ts";
import { SaclaError } from "../core/errors.ts";
import { badArgument } from "../core/guards.ts";
import type { SignalName } from "../core/names.ts";
import type { NdArray } from "../core/ndarray.ts";
import { any, defined, finite, optional, resolveOptions } from "../core/options.ts";
import { printable } from "../core/printable.ts";
import { runStatusWord } from "../core/run-status.ts";
import { showAs } from "../core/shown.ts";
import { TagList } from "../core/tags.ts";
import { timeText } from "../core/time-text.ts";
import type { Assembler, AssemblerOptions, View } from "../ip/index.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { RunInfo } from "../transport/methods.ts";
import { ask } from "./ask.ts";
import type { BadPixelReader } from "./run-assembler.ts";
import { RunTags } from "./run-tags.ts";
import { labelShots, type ShotLabels } from "./shot-labels.ts";
import { SignalColumn } from "./signal-column.ts";
import { matchNames } from "./signal-names.ts";
import { SignalTable } from "./signal-table.ts";
import { TimingEdges } from "./timing-csv.ts";
import { readXrayStates, type XrayStates } from "./xray-states.ts";

/** @internal Default of `pollMs`, the time between two requests for a run's status. */
export const DEFAULT_POLL_MS = 1000;

export interface RunTagsOptions extends CallOptions {
  /** Only tags for which this detector has an image. */
  readonly detector?: string | undefined;
}

/** Those of an `Assembler`. */
export interface RunAssemblerOptions extends Omit<AssemblerOptions, "view">, CallOptions {
  /** `"source"`: as seen from the source. `"detector"`: mirrored, as DataConvert's images. @default "source" */
  readonly view?: View | undefined;
  /** 1 = use. @default all but sensor edges, dead ports and bad pixels */
  readonly masks?: AssemblerOptions["masks"];
}

export interface WaitOptions extends CallOptions {
  /** Milliseconds between two requests for the status. @default 1000 */
  readonly pollMs?: number | undefined;
}

/**
 * One run of a beamline, made by `db.run(bl, run)`. The run information is a snapshot, taken when the Run was made and
 * again by {@link refresh}. Everything else is asked for when it is needed. Tags, detectors and labels of a run that
 * had stopped at the last load cannot change, so each is asked for once and kept; of a run that was still running they
 * are asked for every time.
 *
 * `N`: names of signals that may be said instead of equipment ids, as `connect` was given them.
 *
 * @example
 * const run = await db.run(3, 651251);
 * const dark = await run.darkTags();
 * const exposed = (await run.tags()).minus(dark);
 */
export class Run<N extends string = string> {
  readonly bl: number;
  /** Run number. */
  readonly number: number;
  /** @internal What answers for the run. */
  readonly endpoint: Endpoint;
  #info: RunInfo;
  #answers: Answers;

  constructor(endpoint: Endpoint, bl: number, number: number, info: RunInfo) {
    this.endpoint = endpoint;
    this.bl = bl;
    this.number = number;
    this.#info = info;
    this.#answers = new Answers(info.runstatus === 0);
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

  /** Loads the snapshot anew, forgets all other answers, and gives this same Run. @throws UNKNOWN_RUN */
  async refresh(options?: CallOptions): Promise<this> {
    this.#info = await ask(this.endpoint, "db.readRuninfo", this.#key, options);
    this.#answers = new Answers(this.status === 0);
    return this;
  }

  /**
   * Waits until the run has stopped, then refreshes and gives this same Run. A paused run has not stopped.
   * @throws TIMEOUT when `timeoutMs` has passed
   * @throws ABORTED when the signal fires
   */
  async waitUntilStopped(options: WaitOptions = {}): Promise<this> {
    const checks = { ...callChecks, pollMs: optional(finite(1), DEFAULT_POLL_MS) };
    const { signal, timeoutMs, pollMs } = resolveOptions("waitUntilStopped", options, checks);
    const deadline = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    for (;;) {
      const left = deadline - performance.now();
      // The status is read at least once, however short the timeout.
      await this.refresh({ signal, timeoutMs: left === Infinity ? undefined : Math.max(left, 1) });
      if (this.status === 0) return this;
      if (left <= 0) {
        throw new SaclaError(
          "TIMEOUT",
          `Run ${this.number} of beamline ${this.bl} did not stop within ${timeoutMs} ms (status ${this.status}).`,
          {
            details: { bl: this.bl, run: this.number, status: this.status, timeoutMs },
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
    const { detector, ...call } = resolveOptions("tags", options, { detector: any, ...callChecks });
    return await this.#answers.once("tags", detector ?? "", call, async () => {
      const tags =
        detector === undefined
          ? await ask(this.endpoint, "db.readTaglistByrun", this.#key, call)
          : await ask(this.endpoint, "db.readTaglistBydetid", { ...this.#key, detId: detector }, call);
      return new RunTags(this, tags);
    });
  }

  /** Detectors of the run, each with its sensors. */
  async detectors(options?: CallOptions): Promise<DetectorGroup[]> {
    return await this.#answers.once("detectors", "", options, async () =>
      groupDetectors(await ask(this.endpoint, "db.readDetidlist", this.#key, options)),
    );
  }

  /**
   * The detector of an id or of a name of the experiment, a sensor as a detector of itself; without one the largest.
   * The largest is the one with the most sensors.
   * @throws UNKNOWN_DETECTOR
   */
  async findDetector(name?: string, options?: CallOptions): Promise<DetectorGroup> {
    const groups = await this.detectors(options);
    return Detectors.of(groups, `Run ${this.number} of beamline ${this.bl}`, this.endpoint.names).findOrLargest(name);
  }

  /** Size, gain and geometry of a sensor or camera. @throws UNKNOWN_DETECTOR */
  async detectorInfo(detId: string, options?: CallOptions): Promise<DetectorInfo> {
    return await this.#answers.once(
      "infos",
      detId,
      options,
      async () => await ask(this.endpoint, "st.readDetectorInfo", { ...this.#key, detId }, options),
    );
  }

  /**
   * What puts the sensors of a detector of this run in one picture, without sensor edges, dead ports and bad pixels:
   * gaps are NaN. See `Assembler`, whose options it takes; the view is `"source"` unless said.
   * @param name - as {@link findDetector}
   * @throws UNKNOWN_DETECTOR
   * @throws BAD_GEOMETRY for a camera, which has no place, and when the halves of the detector are open
   * @example
   * const assembler = await run.assembler("MPCCD-8N0-3-002");
   * const picture = assembler.assemble(means);           // one image [ysize, xsize] for each sensor
   */
  async assembler(name?: string, options: RunAssemblerOptions = {}): Promise<Assembler> {
    const { signal, timeoutMs, ...assembly } = resolveOptions("assembler", options, {
      ...{ view: any, method: any, width: any, height: any, pixelSizeUm: any },
      ...{ gapValue: any, masks: any, unplaced: any, relativeGain: any, ...callChecks },
    });
    const call = { signal, timeoutMs };
    const { sensors } = await this.findDetector(name, call);
    const infos = await Promise.all(sensors.map(async (id) => await this.detectorInfo(id, call)));
    const { Assembler, usable } = await import("../ip/index.ts");
    const { placedSensors } = await import("./run-assembler.ts");
    const found = placedSensors(infos, options.relativeGain);
    const placed = found.sensors.length === 0 ? infos : found.sensors;
    const masks = options.masks ?? (await this.badPixels(placed, call)).map(usable);
    const { view = "source", unplaced = found.unplaced } = options;
    return new Assembler(placed, { ...defined(assembly), view, unplaced, masks });
  }

  /**
   * The pixels of sensors that are bad before anything is measured: edges, dead ports, what the facility has recorded
   * of CITIUS sensors for the run, and the mask of a CXI, NXmx or Cheetah file. Of images that are parts of sensors
   * only the last is known.
   * @param infos - sensors, as {@link detectorInfo} tells them
   * @returns reasons (`badPixelReasons`; of CITIUS sensors 1), 0 = good, shape [ysize, xsize] each
   * @example
   * const infos = await Promise.all(sensors.map((id) => run.detectorInfo(id)));
   * const masks = (await run.badPixels(infos)).map(usable);
   */
  async badPixels(infos: readonly DetectorInfo[], options: CallOptions = {}): Promise<NdArray<Uint8Array>[]> {
    const { knownBadPixels } = await import("./run-assembler.ts");
    const citius = async (): Promise<BadPixelReader> =>
      new (await import("../st/citius/ctrl-buffer.ts")).CtrlBuffer(this.endpoint, this.bl, this.number);
    const call = resolveOptions("badPixels", options, callChecks);
    const named = async (detId: string) => await ask(this.endpoint, "st.readBadPixels", { ...this.#key, detId }, call);
    return await knownBadPixels(infos, this, { citius, named }, call);
  }

  /** Names of the signals, as `db.searchSignals`; all of them without a pattern. */
  async signals(pattern: string | RegExp = "", options?: CallOptions): Promise<string[]> {
    return matchNames(await ask(this.endpoint, "db.readEquiplist", {}, options), pattern);
  }

  /** Photon energy the run was configured for, eV; not measured, and sometimes absurd. */
  async photonEnergyEv(options?: CallOptions): Promise<number> {
    return 1000 * (await ask(this.endpoint, "db.readConfigPhotonenergy", this.#key, options));
  }

  /**
   * What the timing monitor's analysis (TMA) found at the shots of the run; `formatTimingCsv` writes it as the
   * facility's CSV. No rows where there is no timing monitor.
   * @throws UNSUPPORTED when the source has no such table, as an archive: read the facility's CSV with `timingEdges`
   */
  async timingEdges(options?: CallOptions): Promise<TimingEdges> {
    return new TimingEdges(await ask(this.endpoint, "db.readTimingEdges", this.#key, options));
  }

  /**
   * One signal, by default over all tags of the run. Tags are put in ascending order, each once.
   * @throws UNKNOWN_SIGNAL
   * @throws TAG_OUTSIDE_RUN when a tag is not in the run
   */
  async column(equipId: SignalName<N>, tags?: Iterable<number>, options?: CallOptions): Promise<SignalColumn> {
    return (await this.table([equipId], tags, options)).column(equipId);
  }

  /**
   * Several signals aligned by tag, by default over all tags of the run. Tags are put in ascending order, each once.
   * @throws UNKNOWN_SIGNAL
   * @throws TAG_OUTSIDE_RUN when a tag is not in the run
   * @throws BAD_ARGUMENT when no signal is named, or one twice
   */
  async table(
    equipIds: readonly SignalName<N>[],
    tags?: Iterable<number>,
    options?: CallOptions,
  ): Promise<SignalTable> {
    if (equipIds.length === 0 || new Set(equipIds).size < equipIds.length)
      throw badArgument("equipIds", equipIds, "one or more names, each once");
    const shots = await this.#shots(tags, options);
    const columns = await ask(
      this.endpoint,
      "db.readColumns",
      { equipIds: [...equipIds], hightag: this.hightag, tags: shots.values },
      options,
    );
    return new SignalTable(
      shots,
      columns.map((column, i) => new SignalColumn(shots, column, equipIds[i])),
      this,
    );
  }

  /**
   * The dark tags: the leading shots of the run with the X-ray shutter closed, by the dated rule for this beamline and
   * run (`darkRuleOf`). Closed shots after the first open or contradictory one do not count: a detector alarm can give
   * nonsense there. A run taken with the shutter closed is dark as a whole; a run without dark shots gives an empty
   * list. `basis` names the rule and the signals, `ledger` the reason for every other shot.
   * @param tags - select among these only; the head is always that of the whole run
   * @throws UNKNOWN_SIGNAL when the source has none of the signals of the rule; no other signals are used instead
   */
  async darkTags(tags?: Iterable<number>, options?: CallOptions): Promise<RunTags> {
    const shots = await this.#shots(tags, options);
    const { basis, stateOf } = await this.#xrayStates(shots, options);
    return shots.select((tag) => (stateOf(tag) === "dark" ? null : stateOf(tag)), basis);
  }

  /**
   * The tags with X-rays on the sample, by the same rule as {@link darkTags}; `ledger` lists the dark shots and those
   * whose flags do not determine it.
   * @throws UNKNOWN_SIGNAL as {@link darkTags}
   */
  async exposedTags(tags?: Iterable<number>, options?: CallOptions): Promise<RunTags> {
    const shots = await this.#shots(tags, options);
    const { basis, stateOf } = await this.#xrayStates(shots, options);
    return shots.select((tag) => (stateOf(tag) === "exposed" ? null : stateOf(tag)), basis);
  }

  /**
   * Every shot as `dark`, `on` (X-rays and pump laser), `off` (X-rays, no pump laser) or `dropped` with a reason.
   * @throws UNKNOWN_SIGNAL when the source has no X-ray shutter signal of the rule, or no pump-laser signal
   */
  async labels(tags?: Iterable<number>, options?: CallOptions): Promise<ShotLabels> {
    const shots = await this.#shots(tags, options);
    const label = async (): Promise<ShotLabels> =>
      await labelShots(this, shots, await this.#xrayStates(shots, options), options);
    return tags === undefined ? await this.#answers.once("labels", "", options, label) : await label();
  }

  /**
   * Shots with X-rays and the pump laser; the ledger has the label, or the reason for none, of all others.
   * @throws UNKNOWN_SIGNAL as {@link labels}
   */
  async on(options?: CallOptions): Promise<RunTags> {
    return (await this.labels(undefined, options)).select("on");
  }

  /** Shots with X-rays and without the pump laser; see {@link on}. @throws UNKNOWN_SIGNAL as {@link labels} */
  async off(options?: CallOptions): Promise<RunTags> {
    return (await this.labels(undefined, options)).select("off");
  }

  get #key(): { readonly bl: number; readonly run: number } {
    return { bl: this.bl, run: this.number };
  }

  /** The dark shots are those at the head of the run, so the whole run is classified even when only part is needed. */
  async #xrayStates(shots: RunTags, options: CallOptions | undefined): Promise<XrayStates> {
    const all = await this.tags(options);
    const read = async (): Promise<XrayStates> => await readXrayStates(this, all.union(shots), options);
    return shots.minus(all).length > 0 ? await read() : await this.#answers.once("xrayStates", "", options, read);
  }

  async #shots(tags: Iterable<number> | undefined, options: CallOptions | undefined): Promise<RunTags> {
    if (tags === undefined) return await this.tags(options);
    if (tags instanceof TagList && tags.hightag !== this.hightag) {
      throw badArgument("HighTag of the tags", tags.hightag, `${this.hightag}, that of run ${this.number}`);
    }
    const shots = new RunTags(this, tags instanceof TagList ? tags.values : tags);
    const { start_tagnumber: start, end_tagnumber: end } = this.#info;
    // A run that was running at the last load has grown since.
    const limit = this.status === 0 ? end : Infinity;
    const outside = [shots.at(0), shots.at(-1)].find((tag) => tag !== undefined && (tag < start || tag >= limit));
    if (outside !== undefined) {
      throw new APIError(
        "TAG_OUTSIDE_RUN",
        `Tag ${outside} is outside run ${this.number} of beamline ${this.bl}, which has tags ${start} to ${end - 1}.`,
        {
          details: { bl: this.bl, run: this.number, tag: outside, start, end },
        },
      );
    }
    return shots;
  }
}

/** What can be asked once of a run that has stopped. */
interface Kept {
  readonly tags: RunTags;
  readonly detectors: DetectorGroup[];
  readonly infos: DetectorInfo;
  readonly xrayStates: XrayStates;
  readonly labels: ShotLabels;
}

/** Answers about one state of a run; kept only when they are final. */
class Answers {
  readonly #final: boolean;
  readonly #kept: { readonly [K in keyof Kept]: Map<string, Kept[K]> } = {
    tags: new Map(),
    detectors: new Map(),
    infos: new Map(),
    xrayStates: new Map(),
    labels: new Map(),
  };

  constructor(final: boolean) {
    this.#final = final;
  }

  async once<K extends keyof Kept>(
    what: K,
    of: string,
    options: CallOptions | undefined,
    read: () => Promise<Kept[K]>,
  ): Promise<Kept[K]> {
    throwIfAborted(resolveOptions(what, options ?? {}, callChecks).signal);
    const known = this.#kept[what].get(of);
    if (known !== undefined) return known;
    const answer = await read();
    if (this.#final) this.#kept[what].set(of, answer);
    return answer;
  }
}

showAs(Run, ({ number, bl, info, status, comment, startTime }) => {
  const seconds = (info.stoptime - info.starttime).toFixed(0);
  // A comment is written by others: it must not steer the terminal.
  const said = comment === "" ? "" : `, ${printable(JSON.stringify(comment))}`;
  return `Run ${number} of beamline ${bl}: ${runStatusWord(status)}, ${timeText(startTime)}, ${seconds} s${said}`;
});
