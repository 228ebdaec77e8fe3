import { TAG_RATE_HZ } from "../core/constants.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { isCamera } from "../core/detector-families.ts";
import { SaclaError, showList } from "../core/errors.ts";
import { hightagAt } from "../core/japan.ts";
import type { Pixels } from "../core/ndarray.ts";
import { nearestNames } from "../core/nearest-names.ts";
import { hash, Random } from "../core/random.ts";
import { type Column, emptyColumn, roundToText, setEntry } from "../core/syncdb.ts";
import type { ControlDriver } from "../ec/index.ts";
import type { DataSource } from "../source/data-source.ts";
import type { CallResult, RunInfo } from "../transport/methods.ts";
import { SimulatedCitius } from "./citius-source.ts";
import { Accelerator } from "./control/accelerator.ts";
import { ControlledBeamline, type DeviceRests } from "./control/beamline.ts";
import { controlledBeamlines } from "./control/devices.ts";
import { SimulatedControl } from "./control/driver.ts";
import { SimulatedOperators } from "./control/operators.ts";
import type { Scenario } from "./control/scenario.ts";
import { VirtualTime } from "./control/virtual-time.ts";
import { experiments, knownHightags, liveHightag, unixSecondsOf } from "./experiments.ts";
import { type LivePace, SimulatedLive } from "./live.ts";
import { CitiusModel } from "./models/citius.ts";
import { DetectorModels } from "./models/detector-models.ts";
import { MpccdModel } from "./models/mpccd.ts";
import { simulatedDevices } from "./optics/simulated-devices.ts";
import { timingParameters } from "./parameters.ts";
import { isImage, type PlannedRun } from "./planned-run.ts";
import { PulseModel } from "./pulse.ts";
import { RunSchedule } from "./run-schedule.ts";
import type { SimulatedShot } from "./shot.ts";
import { type Signal, signalTable } from "./signals.ts";
import { type LiveConditions, Timeline } from "./timeline.ts";
import { FacilityTruth } from "./truth.ts";

/** Rows of the timing monitor's analysis, one per tag; NaN where there is no edge. */
export interface TimingMonitorEdges {
  readonly tags: Uint32Array;
  readonly derivativePx: Float64Array;
  readonly fittingPx: Float64Array;
}

/** Longest stretch of tags {@link DataSource.tagsBetween} gives at once: over four hours. */
const LONGEST_STRETCH = 1_000_000;

/** The options with everything decided. */
interface FacilitySettings extends LivePace {
  readonly seed: number;
  readonly missingRate: number;
  readonly scenario: Scenario;
  readonly name: string;
  readonly rests: DeviceRests;
}

/** See {@link createSimulatedFacility}. */
export class SimulatedFacility implements DataSource {
  readonly name: string;
  /** Its stages, shutters, settings and run control. */
  readonly control: ControlDriver;
  /** What an experiment never learns: the values behind the measurements, for tests and teaching. */
  readonly truth: FacilityTruth;
  readonly live: SimulatedLive;
  readonly citius: SimulatedCitius;
  readonly #seed: number;
  readonly #missingRate: number;
  readonly #pulses = new PulseModel();
  readonly #models: DetectorModels;
  readonly #schedule: RunSchedule;
  readonly #random = new Random(0);
  readonly #timelines = new Map<string, Timeline | undefined>();
  readonly #controlled: ReadonlyMap<number, ControlledBeamline>;
  readonly #virtualTime: VirtualTime;
  readonly #conditions: LiveConditions;

  constructor(options: FacilitySettings) {
    const { seed, missingRate, scenario, clock, speed, name, rests } = options;
    this.name = name;
    this.#seed = seed;
    this.#missingRate = missingRate;
    this.#models = new DetectorModels(seed, this.#pulses);
    this.live = new SimulatedLive(options, {
      timeline: (bl) => this.#timeline(bl, liveHightag),
      run: (bl, run) => this.#schedule.run(bl, run),
      detectors: (bl) => (this.#controlled.get(bl)?.runs.detectorsNow() ?? []).flatMap((id) => this.#models.idsOf(id)),
      detectorInfo: (detId) => this.#models.describe(detId),
      isMissing: (bl, run, detId, tag) => this.#isMissing(this.#missingKey(bl, run, detId), tag),
      readFrame: (bl, run, detId, tag, out) => this.readFrame(bl, run, detId, tag, out),
    });
    const now = (): number => this.live.ticks();
    const machine = new Accelerator(seed, scenario, this.#pulses, this.beamlines());
    const context = { seed, scenario, machine, pulses: this.#pulses, rests, simulatedDevices, now };
    this.#controlled = new Map(
      controlledBeamlines.map(({ bl, devices }) => [bl, new ControlledBeamline(bl, devices, context)]),
    );
    const controlledFromTag = (bl: number): number => this.#controlled.get(bl)?.runs.controlledFromTag ?? Infinity;
    this.#conditions = {
      controlledFromTag,
      fillControlled: (bl, shot) => this.#controlled.get(bl)?.fill(shot),
      fillAccelerator: (bl, shot) => machine.fill(bl, shot),
    };
    this.#schedule = new RunSchedule(() => this.live.nowTag(), {
      controlledFromTag,
      controlled: (bl) => this.#controlled.get(bl)?.runs.runs ?? [],
    });
    this.citius = new SimulatedCitius(
      this.#models.get(CitiusModel),
      (bl, run) => this.#run(bl, run),
      (hightag) => this.#schedule.newestTag(hightag),
    );
    this.#virtualTime = new VirtualTime(clock, speed);
    this.control = new SimulatedControl({
      name,
      beamlines: this.#controlled,
      virtualTime: this.#virtualTime,
      now,
      newestRun: (bl) => this.#schedule.runs(bl, 1)[0] ?? 0,
      machine,
      operators: new SimulatedOperators(seed, scenario.operators, clock, speed),
    });
    const shotAt = (bl: number, hightag: number, tag: number): SimulatedShot => this.#shot(bl, hightag, tag);
    this.truth = new FacilityTruth(
      this.#models.get(MpccdModel),
      this.#pulses,
      shotAt,
      (bl, run) => this.#schedule.run(bl, run),
      this.#controlled,
    );
  }

  apiVersion(): string {
    return "sacla simulated facility 1";
  }

  beamlines(): readonly number[] {
    return [...new Set(experiments.map((e) => e.beamline))].sort();
  }

  runs(bl: number, last: number): readonly number[] {
    return this.#schedule.runs(bl, last);
  }

  runStatus(bl: number, run: number): number {
    const asked = this.#schedule.run(bl, run);
    const status = this.#schedule.status(asked);
    if (status <= 0) return status;
    this.#virtualTime.asked(`status ${bl} ${run}`);
    return this.#schedule.status(asked);
  }

  runInfo(bl: number, run: number): RunInfo {
    const planned = this.#run(bl, run);
    const { experiment, startTag } = planned;
    const { hightag, recorded, fyId } = experiment;
    const endTag = this.#schedule.endTag(planned);
    const isDark = experiment.darkRuns?.includes(run) ?? false;
    const times =
      recorded?.run === run
        ? recorded
        : { starttime: this.#time(hightag, startTag), stoptime: this.#time(hightag, endTag) };
    return {
      starttime: times.starttime,
      stoptime: times.stoptime,
      total_tagnumber: endTag - startTag,
      start_tagnumber: startTag,
      end_tagnumber: endTag,
      hightagnumber: hightag,
      comment: isDark ? `dark ${experiment.comment}` : experiment.comment,
      runtype: "",
      stationnumber: experiment.station,
      runstatus: this.#schedule.status(planned),
      ...(fyId === undefined ? {} : { fy_id: fyId, detectors: experiment.detectors.join(",") }),
    };
  }

  photonEnergyKev(bl: number, run: number): number {
    const { experiment, startTag } = this.#run(bl, run);
    return this.#shot(bl, experiment.hightag, startTag).photonEnergyEv / 1000;
  }

  detectors(bl: number, run: number): readonly string[] {
    return this.#run(bl, run).experiment.detectors.flatMap((id) => this.#models.idsOf(id));
  }

  /** For a composite id: the tags for which every sensor has an image. */
  tags(bl: number, run: number, detId?: string): Uint32Array {
    const planned = this.#run(bl, run);
    const end = this.#schedule.endTag(planned);
    const tags: number[] = [];
    for (let tag = planned.startTag; tag < end; tag += planned.step) if (isImage(planned, tag)) tags.push(tag);
    if (detId === undefined) return Uint32Array.from(tags);
    const isListed = planned.experiment.detectors.includes(detId);
    const keys = (isListed ? this.#models.sensorsOf(detId) : [detId]).map((id) => this.#missingKey(bl, run, id));
    return Uint32Array.from(tags.filter((tag) => !keys.some((key) => this.#isMissing(key, tag))));
  }

  /** @throws BAD_ARGUMENT when the stretch is longer than a million tags @throws UNKNOWN_HIGHTAG */
  tagsBetween(bl: number, hightag: number, first: number, last: number): Uint32Array {
    if (last - first >= LONGEST_STRETCH) {
      throw new SaclaError(
        "BAD_ARGUMENT",
        `Tags ${first} to ${last} are ${last - first + 1}, but at most ${LONGEST_STRETCH} can be listed at once.`,
      );
    }
    this.#checkHightag(hightag);
    const timeline = this.#timeline(bl, hightag);
    return Uint32Array.from(timeline?.pulseTags(first, Math.min(last, this.#schedule.newestTag(hightag))) ?? []);
  }

  newestTag(equipId: string): [hightag: number, tag: number] {
    const { bl } = this.#signal(equipId);
    this.#virtualTime.asked(`newest ${equipId}`);
    const newest = this.live.newestValueTag();
    const pulseTags =
      bl === null ? undefined : this.#timeline(bl, liveHightag)?.pulseTags(newest - TAG_RATE_HZ, newest);
    return [liveHightag, [...(pulseTags ?? [])].at(-1) ?? newest];
  }

  hightagAt(unixSeconds: number): number {
    return hightagAt(unixSeconds);
  }

  /** @throws UNKNOWN_SIGNAL @throws UNKNOWN_HIGHTAG */
  timestamp(hightag: number, tag: number, equipId: string): number {
    this.#signal(equipId);
    return this.#time(hightag, tag);
  }

  equipment(): readonly string[] {
    return [...signalTable().keys()];
  }

  column(equipId: string, hightag: number, tags: Uint32Array): Column {
    const { bl, unit, read } = this.#signal(equipId);
    this.#checkHightag(hightag);
    const column = emptyColumn(equipId, unit, tags.length);
    const timeline = bl === null ? this.#acceleratorTimeline(hightag) : this.#timeline(bl, hightag);
    if (timeline === undefined) return column;
    const newest = hightag === liveHightag ? this.live.newestValueTag() : Infinity;
    const isWhole = unit === "pulse" || unit === "";
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i] ?? 0;
      if (tag > newest) continue;
      const entry = read(timeline.at(tag), this.#pulses);
      setEntry(column, i, typeof entry === "number" && !isWhole ? roundToText(entry) : entry);
    }
    return column;
  }

  detectorInfo(_bl: number, _run: number, detId: string): DetectorInfo {
    return this.#models.describe(detId);
  }

  readFrame(bl: number, run: number, detId: string, tag: number, out: Pixels): boolean {
    const planned = this.#run(bl, run);
    if (!isImage(planned, tag) || tag >= this.#schedule.endTag(planned)) return false;
    if (this.#isMissing(this.#missingKey(bl, run, detId), tag)) return false;
    const shot = this.#shot(bl, planned.experiment.hightag, tag);
    this.#models.of(detId).draw(detId, shot, this.#random, out);
    return true;
  }

  /**
   * What the timing-monitor analysis of a beamline gives for tags: the edge by derivative, to half a pixel, and by fit.
   * @throws UNKNOWN_HIGHTAG
   */
  timingEdges(hightag: number, tags: Uint32Array, bl = 3): TimingMonitorEdges {
    this.#checkHightag(hightag);
    const timeline = this.#timeline(bl, hightag);
    const newest = this.#schedule.newestTag(hightag);
    const edges = {
      tags,
      derivativePx: new Float64Array(tags.length).fill(NaN),
      fittingPx: new Float64Array(tags.length).fill(NaN),
    };
    const salt = hash("timing analysis");
    tags.forEach((tag, i) => {
      if (timeline === undefined || tag > newest) return;
      const shot = timeline.at(tag);
      const { pixel, depth, secondPixel, secondDepth } = this.#pulses.edge(shot);
      const noise = this.#pulses.draws(shot.key, salt, tag);
      const { derivativeNoisePixel, fitNoisePixel, noiseDepth, leastDepth, confusedShare } = timingParameters;
      if (!(depth >= leastDepth)) return;
      const edge = secondDepth > 0 && noise.uniform() < confusedShare ? secondPixel : pixel;
      const blur = Math.max(1, noiseDepth / depth);
      edges.derivativePx[i] = Math.round(2 * (edge + derivativeNoisePixel * blur * noise.normal())) / 2;
      edges.fittingPx[i] = edge + fitNoisePixel * blur * noise.normal();
    });
    return edges;
  }

  runTimingEdges(bl: number, run: number): CallResult<"db.readTimingEdges"> {
    const { experiment } = this.#run(bl, run);
    const hasMonitor = experiments.some((e) => e.beamline === bl && e.detectors.some(isCamera));
    const tags = hasMonitor ? this.tags(bl, run) : new Uint32Array(0);
    return { comment: `[TMA 1 BL${bl} ${experiment.hightag}]`, ...this.timingEdges(experiment.hightag, tags, bl) };
  }

  close(): void {
    this.#models.close();
  }

  #run(bl: number, run: number): PlannedRun {
    const planned = this.#schedule.run(bl, run);
    if (planned === undefined || this.#schedule.status(planned) === -1) {
      throw new SaclaError("UNKNOWN_RUN", `There is no run ${run} on beamline ${bl} of ${this.name}.`, {
        details: { bl, run },
      });
    }
    return planned;
  }

  #signal(equipId: string): Signal {
    const signal = signalTable().get(equipId);
    if (signal !== undefined) return signal;
    const near = nearestNames(equipId, signalTable().keys(), 3);
    const nearest = near.length > 0 ? `; the nearest are ${near.join(", ")}` : ", nor one like it";
    throw new SaclaError(
      "UNKNOWN_SIGNAL",
      `There is no equipment id ${equipId}${nearest}. Search with: sacla signals TEXT`,
      {
        details: { equipId, near },
      },
    );
  }

  #checkHightag(hightag: number): void {
    const known = knownHightags();
    if (known.includes(hightag)) return;
    throw new SaclaError(
      "UNKNOWN_HIGHTAG",
      `${this.name} has no shots of HighTag ${hightag}; it has ${showList(known, 20)}.`,
      { details: { hightag, known } },
    );
  }

  #time(hightag: number, tag: number): number {
    this.#checkHightag(hightag);
    return unixSecondsOf(hightag, tag) ?? NaN;
  }

  #timeline(bl: number, hightag: number): Timeline | undefined {
    const name = `${bl} ${hightag}`;
    if (!this.#timelines.has(name)) this.#timelines.set(name, Timeline.of(this.#seed, bl, hightag, this.#conditions));
    return this.#timelines.get(name);
  }

  /** The machine is common, so any beamline that has the HighTag does. */
  #acceleratorTimeline(hightag: number): Timeline | undefined {
    for (const bl of this.beamlines().toReversed()) {
      const timeline = this.#timeline(bl, hightag);
      if (timeline !== undefined) return timeline;
    }
    return undefined;
  }

  #shot(bl: number, hightag: number, tag: number): SimulatedShot {
    const timeline = this.#timeline(bl, hightag);
    if (timeline === undefined)
      throw new SaclaError("UNKNOWN_HIGHTAG", `Beamline ${bl} has no shots of HighTag ${hightag}.`, {
        details: { bl, hightag },
      });
    return timeline.at(tag);
  }

  #missingKey(bl: number, run: number, detId: string): number {
    return hash(this.#seed, "missing", bl, run, this.#models.storedAs(detId));
  }

  #isMissing(key: number, tag: number): boolean {
    return hash(key, tag) < this.#missingRate * 0x1_0000_0000;
  }
}
