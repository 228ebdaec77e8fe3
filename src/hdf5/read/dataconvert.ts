import { TAG_RATE_HZ } from "../../core/constants.ts";
import { compositeOf } from "../../core/detector-families.ts";
import { groupDetectors, listDetectors } from "../../core/detectors.ts";
import { isSaclaError, SaclaError, show, showList } from "../../core/errors.ts";
import { hightagAt } from "../../core/japan.ts";
import { TagRows } from "../../core/tag-rows.ts";
import { MAX_RUN } from "../../transport/method-rows.ts";
import type { RunInfo } from "../../transport/methods.ts";
import { absenceOf } from "./absence.ts";
import type { H5File } from "./h5file.ts";
import { type Provenance, readProvenance } from "./provenance.ts";
import { StoredDetector } from "./stored-detector.ts";
import { StoredSignals } from "./stored-signals.ts";
import { digitsIn, fillTimes, unsignedTag } from "./tag-lists.ts";

/** What the file does not say, or says wrongly. */
export interface ArchiveOptions {
  /** Beamline of every run in the file, instead of the `bl_<n>` found in it. */
  readonly bl?: number | undefined;
  /** HighTag of every run in the file, instead of the one derived from its time. */
  readonly hightag?: number | undefined;
  /** CrystFEL geometry (.geom) of a CXI file, which says nothing of its panels. */
  readonly geom?: string | undefined;
}

/** What times are in, should be seconds. */
const timeUnits = [
  [1, "seconds"],
  [1e-3, "milliseconds"],
  [1e-6, "microseconds"],
  [1e-9, "nanoseconds"],
] as const;
/** Unix seconds before the first run of SACLA, and long after this. */
const [FIRST_SECONDS, LAST_SECONDS] = [1.2e9, 7.2e9];

/** What a DataConvert file holds. */
interface StoredRuns {
  /** Ascending by number. */
  readonly runs: readonly StoredRun[];
  /** Runs that the list names and that cannot be read, with the reason. */
  readonly lost: ReadonlyMap<number, SaclaError>;
}

/**
 * The runs of a DataConvert file; of several, those that can be read.
 * @throws NOT_DATACONVERT naming the path that is not there
 * @throws FILE_DAMAGED when no run can be read
 */
export function readRuns(file: H5File, options: ArchiveOptions): StoredRuns {
  const path = "/file_info/run_number_list";
  const listed = new Set(required(file, path, digitsIn(file, path) ?? file.numbers(path)));
  if (listed.size === 0) throw notDataConvert(file, path, "is empty");
  const provenance = readProvenance(file);
  const runs: StoredRun[] = [];
  const lost = new Map<number, SaclaError>();
  for (const run of [...listed].sort((a, b) => a - b)) {
    try {
      if (Math.abs(run) > MAX_RUN)
        throw damaged(file, path, `names run ${run}, but the number of a run is at most ${MAX_RUN}`);
      runs.push(new StoredRun(file, run, options, provenance?.request.run === run ? provenance : undefined));
    } catch (error) {
      if (!isSaclaError(error, "FILE_DAMAGED", "NOT_DATACONVERT")) throw error;
      lost.set(run, error);
    }
  }
  const [first] = lost.values();
  if (runs.length === 0 && first !== undefined) throw first;
  return { runs, lost };
}

/** One `/run_<N>` group. Everything small is read at once, so that a broken file is known when it is opened. */
export class StoredRun {
  readonly run: number;
  readonly bl: number;
  readonly hightag: number;
  /** Ascending. */
  readonly tags: Uint32Array;
  /** Inclusive. */
  readonly startTag: number;
  /** Exclusive. */
  readonly endTag: number;
  /** Unix seconds, at the start tag and at the end tag. */
  readonly startTime: number;
  readonly stopTime: number;
  readonly comment: string;
  /** Sensors and cameras by id. */
  readonly detectors: ReadonlyMap<string, StoredDetector>;
  readonly signals: StoredSignals;
  /** Where each tag stands in the lists of `event_info`, and in the columns of {@link signals}. */
  readonly rows: TagRows;
  /** What is odd about the run beside signals and images, as it was found on opening. */
  readonly #odd: string[] = [];
  readonly #file: H5File;
  readonly #root: string;
  #times: Float64Array | undefined;
  #timeUnit: number | undefined;
  /** For files of `sacla convert`: what the layout has no place for. */
  readonly #provenance: Provenance | undefined;
  #present: ReadonlyMap<string, StoredDetector> | undefined;
  #detectorIds: readonly string[] | undefined;
  #oddParts: readonly string[] | undefined;

  constructor(file: H5File, run: number, options: ArchiveOptions, provenance: Provenance | undefined) {
    this.#file = file;
    this.#provenance = provenance;
    this.#root = `/run_${run}`;
    this.run = run;
    if (file.kind(this.#root) !== "group") {
      throw damaged(file, this.#root, "is not there, though /file_info/run_number_list names it");
    }
    this.bl = options.bl ?? provenance?.request.bl ?? this.#beamline();
    const listed = this.#tagList();
    this.rows = new TagRows(listed);
    this.tags = this.rows.ascending;
    if (this.rows.hasTwice) throw damaged(file, this.#tagListPath, "names a tag twice");
    this.startTag = this.#tagNumber("run_info/start_tag_number");
    this.endTag = this.#tagNumber("run_info/end_tag_number");
    this.#checkRange();
    this.#checkWritten(this.#timesPath);
    this.#checkTimes();
    this.startTime = provenance?.run.starttime ?? this.#timeAt("start");
    this.stopTime = provenance?.run.stoptime ?? this.#timeAt("end");
    this.hightag = options.hightag ?? provenance?.run.hightagnumber ?? hightagAt(this.startTime);
    this.comment = this.#text("exp_info/comment") ?? "";
    this.detectors = this.#findDetectors();
    this.signals = new StoredSignals(file, `${this.#root}/event_info`, this.tags.length, provenance);
  }

  /** Detectors and sensors with images; all where none has one. */
  get present(): ReadonlyMap<string, StoredDetector> {
    if (this.#present === undefined) {
      const present = [...this.detectors].filter(([, detector]) => detector.hasImage);
      this.#present = present.length === 0 ? this.detectors : new Map(present);
    }
    return this.#present;
  }

  /** Composite ids of {@link present}, each before its sensors, then cameras and assembled images. */
  get detectorIds(): readonly string[] {
    this.#detectorIds ??= listDetectors([...this.present.keys()]);
    return this.#detectorIds;
  }

  /** What is odd about the run, each a sentence that names the place. */
  get notes(): readonly string[] {
    this.#oddParts ??= this.#findOddParts();
    return [...this.#odd, ...this.#oddParts];
  }

  /** What is odd about signals and images: found once, because each single image asks for the run that it is from. */
  #findOddParts(): string[] {
    const without = [...this.detectors.values()]
      .filter(({ hasImage }) => !hasImage)
      .map(({ id, whyNone }) => `${id} has no image of any shot${whyNone}`);
    const stacked = [...this.present.values()].flatMap(({ stack }) =>
      typeof stack === "object" ? (stack.note ?? []) : [],
    );
    return [...without, ...stacked, ...this.#unplaced, ...this.signals.notes];
  }

  /** Sensors that are in no picture with the others, and images that are parts of sensors. */
  get #unplaced(): string[] {
    return groupDetectors([...this.present.keys()]).flatMap(({ id, sensors }) => {
      const stored = sensors.flatMap((sensor) => this.present.get(sensor) ?? []);
      const hasGain = stored.some(({ gain }) => gain !== null);
      const cut =
        stored[0]?.isCut === true
          ? [`images of ${id} are cut, or binned unsaid: edges and dead ports are not left out of pictures`]
          : [];
      const odd = stored.flatMap((sensor): string[] => {
        const { whyNoPlace } = sensor;
        if (whyNoPlace !== undefined) return [`the place of ${sensor.id} is not known: ${whyNoPlace}`];
        return hasGain && sensor.gain === null ? [`${sensor.id} has no gain, and is in no picture of ${id}`] : [];
      });
      return [...cut, ...odd];
    });
  }

  /** Configured photon energy in keV. @throws UNSUPPORTED when the file has none */
  get photonEnergyKev(): number {
    const path = `${this.#root}/run_info/sacla_config/photon_energy_in_eV`;
    const energyEv = this.#file.numberOrNone(path);
    if (energyEv === undefined || !Number.isFinite(energyEv)) {
      throw new SaclaError(
        "UNSUPPORTED",
        `The archive ${show(this.#file.path)} has no photon energy for ` +
          `run ${this.run}: ${path} is not there or not a number.`,
        {
          details: { file: this.#file.path, path },
        },
      );
    }
    return energyEv / 1000;
  }

  /** Unix seconds of a tag of the run. */
  timeOf(tag: number): number | undefined {
    const row = this.rows.rowOf(tag);
    if (row === undefined) return undefined;
    this.#times ??= this.#readTimes();
    return this.#times[row];
  }

  /** In the order of the file; a tag without a number has that of the tag beside it, and the tags between. */
  #readTimes(): Float64Array {
    const times = required(this.#file, this.#timesPath, this.#file.numbers(this.#timesPath)).slice();
    const unit = this.#unitOf(times.find(Number.isFinite) ?? 0);
    if (unit !== 1) for (const [row, time] of times.entries()) times[row] = time * unit;
    if (times.every(Number.isFinite)) return times;
    fillTimes(times, this.rows);
    return times;
  }

  /** What the source of the file said about the run, beyond what the layout holds. */
  get recorded(): RunInfo | undefined {
    return this.#provenance?.run;
  }

  get #timesPath(): string {
    return `${this.#root}/event_info/time_stamp`;
  }

  get #tagListPath(): string {
    return `${this.#root}/event_info/tag_number_list`;
  }

  #beamline(): number {
    const path = `${this.#root}/event_info`;
    const found = this.#file.keys(path).flatMap((name) => /^bl_(\d{1,3})$/.exec(name)?.[1] ?? []);
    if (found.length === 1) return Number(found[0]);
    throw notDataConvert(
      this.#file,
      `${path}/bl_<n>`,
      `${found.length === 0 ? "is not there" : `is there for several beamlines (${showList(found)})`}; ` +
        "say which beamline the run is from, for example ?bl=3",
    );
  }

  #tagList(): Uint32Array {
    const path = this.#tagListPath;
    this.#checkWritten(path);
    const list = required(this.#file, path, digitsIn(this.#file, path) ?? this.#file.list(path));
    if (list.length === 0) throw damaged(this.#file, path, "is empty");
    // The same bits.
    if (list instanceof Int32Array || list instanceof Uint32Array)
      return new Uint32Array(list.buffer, list.byteOffset, list.length);
    const tags = Float64Array.from(list, Number);
    const listed = new Uint32Array(tags.length);
    for (let row = 0; row < tags.length; row++) {
      const stored = tags[row] ?? NaN;
      const tag = unsignedTag(stored);
      listed[row] = tag;
      if (listed[row] !== tag) throw notDataConvert(this.#file, path, `has ${stored}, which is not a tag`);
    }
    return listed;
  }

  /** What was never written reads as zeros. */
  #checkWritten(path: string): void {
    const absence = absenceOf(this.#file, path);
    if (absence !== undefined) throw damaged(this.#file, path, `has no values: ${absence.what}`);
  }

  #tagNumber(name: string): number {
    const path = `${this.#root}/${name}`;
    return unsignedTag(required(this.#file, path, digitsIn(this.#file, path)?.[0] ?? this.#file.number(path)));
  }

  #checkRange(): void {
    const first = this.tags[0] ?? 0;
    const last = this.tags.at(-1) ?? 0;
    if (first >= this.startTag && last < this.endTag) return;
    throw damaged(
      this.#file,
      this.#tagListPath,
      `has tags ${first} to ${last}, ` +
        `outside the run's ${this.startTag} to ${this.endTag - 1} (run_info/start_tag_number, end_tag_number)`,
    );
  }

  /** The times are read when one is asked for: mostly only those at the two ends are needed. */
  #checkTimes(): void {
    const path = this.#timesPath;
    const length = required(this.#file, path, this.#file.lengthOf(path));
    if (length === this.tags.length) return;
    throw damaged(this.#file, path, `has ${length} values, but ${this.#tagListPath} has ${this.tags.length} tags`);
  }

  /** A text that nothing else depends on: something else in its place is noted. */
  #text(name: string): string | undefined {
    const path = `${this.#root}/${name}`;
    try {
      return this.#file.text(path);
    } catch (error) {
      if (!isSaclaError(error, "FILE_DAMAGED", "NOT_DATACONVERT", "UNSUPPORTED")) throw error;
      this.#odd.push(error.message);
      const value = isSaclaError(error, "NOT_DATACONVERT") ? this.#file.numberOrNone(path) : undefined;
      return value === undefined ? undefined : String(value);
    }
  }

  /** The time of an end of the run, which need not be in the list. All times are read only where that one is odd. */
  #timeAt(end: "start" | "end"): number {
    const outermost = (end === "start" ? this.tags[0] : this.tags.at(-1)) ?? NaN;
    const tagAtEnd = end === "start" ? this.startTag : this.endTag;
    const stored = this.#file.numberAt(this.#timesPath, this.rows.rowOf(outermost) ?? 0) ?? NaN;
    const time = Number.isFinite(stored) ? stored * this.#unitOf(stored) : (this.timeOf(outermost) ?? NaN);
    if (Number.isFinite(time)) return time + (tagAtEnd - outermost) / TAG_RATE_HZ;
    throw damaged(this.#file, this.#timesPath, `has no time for any of its ${this.tags.length} tags`);
  }

  /** Seconds that 1 of the times is: a time in milliseconds is far from any in seconds. */
  #unitOf(time: number): number {
    if (this.#timeUnit !== undefined) return this.#timeUnit;
    const [seconds = 1, name = ""] =
      timeUnits.find(([unit]) => time * unit > FIRST_SECONDS && time * unit < LAST_SECONDS) ?? [];
    this.#timeUnit = seconds;
    const path = this.#timesPath;
    if (name === "")
      this.#odd.push(
        `${path} has ${time}, which is no time of a run: times, and the HighTag without ?hightag=, are wrong`,
      );
    else if (seconds !== 1) this.#odd.push(`${path} is read as ${name}`);
    return seconds;
  }

  #findDetectors(): Map<string, StoredDetector> {
    const detectors = new Map<string, StoredDetector>();
    const add = (group: string, id: string): void => {
      detectors.set(id, new StoredDetector(this.#file, `${this.#root}/${group}`, id, this.run, this.rows));
    };
    const groups = this.#file.keys(this.#root);
    const named = numbered(groups, /^detector_2d_(\d+)$/).map(([group]) => {
      return { group, name: this.#text(`${group}/detector_info/detector_name`) };
    });
    // The id of a whole detector, and what is no name of a property.
    const taken = new Set(["__proto__", ...named.flatMap(({ name = "" }) => compositeOf(name) ?? [])]);
    for (const { group, name } of named) {
      const isTaken = name !== undefined && (detectors.has(name) || taken.has(name));
      if (name === undefined || name === "")
        this.#odd.push(`${this.#root}/${group} has no detector_name, and is called ${group}`);
      else if (isTaken)
        this.#odd.push(`${this.#root}/${group} is named ${show(name)} as another detector, and is called ${group}`);
      add(group, name === undefined || name === "" || isTaken ? group : name);
    }
    this.#noteListedDetectors(groups);
    for (const [group] of numbered(groups, /^detector_2d_assembled_(\d+)$/)) add(group, group);
    return detectors;
  }

  #noteListedDetectors(groups: readonly string[]): void {
    const path = `${this.#root}/run_info/detector_config/detector_2d_list`;
    for (const k of this.#file.numbersOrNone(path) ?? []) {
      if (!groups.includes(`detector_2d_${k}`))
        this.#odd.push(`${this.#root}/detector_2d_${k} is not there, though ${path} names it`);
    }
  }
}

/** Names that match, in the order of their number: the file lists `detector_2d_10` before `detector_2d_2`. */
function numbered(names: readonly string[], pattern: RegExp): [name: string, k: number][] {
  return names
    .flatMap((name): [string, number][] => {
      const k = pattern.exec(name)?.[1];
      return k === undefined ? [] : [[name, Number(k)]];
    })
    .sort(([, a], [, b]) => a - b);
}

function required<T>(file: H5File, path: string, value: T | undefined): T {
  if (value === undefined) throw notDataConvert(file, path, "is not there");
  return value;
}

function notDataConvert(file: H5File, path: string, what: string): SaclaError {
  return new SaclaError(
    "NOT_DATACONVERT",
    `${show(file.path)} does not have the DataConvert layout: ${path} ${what}.`,
    {
      details: { file: file.path, path },
    },
  );
}

function damaged(file: H5File, path: string, what: string): SaclaError {
  return new SaclaError(
    "FILE_DAMAGED",
    `${show(file.path)} is half-written or damaged: ${path} ${what}. Convert the run again.`,
    {
      details: { file: file.path, path },
    },
  );
}
