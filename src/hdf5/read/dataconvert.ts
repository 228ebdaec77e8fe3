import { TAG_RATE_HZ } from "../../core/constants.ts";
import { groupDetectors } from "../../core/detectors.ts";
import { SaclaError, show, showList } from "../../core/errors.ts";
import { hightagAt } from "../../core/japan.ts";
import { STATUS_MISSING } from "../../core/syncdb.ts";
import type { RunInfo } from "../../transport/methods.ts";
import { type Provenance, readProvenance } from "../convert/provenance.ts";
import { type Absence, absenceOf } from "./absence.ts";
import type { H5File } from "./h5file.ts";
import { signalNames, unitOfPath } from "./signals.ts";
import { StoredDetector } from "./stored-detector.ts";

/** What the file does not say, or says wrongly. */
export interface ArchiveOptions {
  /** Beamline of every run in the file, instead of the `bl_<n>` found in it. */
  readonly bl?: number | undefined;
  /** HighTag of every run in the file, instead of the one derived from its time. */
  readonly hightag?: number | undefined;
}

/** The runs of a DataConvert file, ascending. @throws NOT_DATACONVERT naming the path that is not there */
export function readRuns(file: H5File, options: ArchiveOptions): StoredRun[] {
  const path = "/file_info/run_number_list";
  const runs = Array.from(required(file, path, file.numbers(path)));
  if (runs.length === 0) throw notDataConvert(file, path, "is empty");
  const provenance = readProvenance(file);
  return runs
    .sort((a, b) => a - b)
    .map((run) => new StoredRun(file, run, options, provenance?.request.run === run ? provenance : undefined));
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
  /** Composite ids, each before its sensors, then cameras and assembled images. */
  readonly detectorIds: readonly string[];
  readonly #file: H5File;
  readonly #root: string;
  /** Where each tag stands in the lists of `event_info`, which need not be in order. */
  readonly #rows: ReadonlyMap<number, number>;
  readonly #times: Float64Array;
  readonly #columns = new Map<string, Float64Array>();
  readonly #absences = new Map<string, Absence | undefined>();
  /** For files of `sacla convert`: what the layout has no place for. */
  readonly #provenance: Provenance | undefined;
  #signals: ReadonlyMap<string, string> | undefined;

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
    this.tags = Uint32Array.from(listed).sort();
    this.#rows = new Map(Array.from(listed, (tag, row) => [tag, row]));
    if (this.#rows.size !== listed.length) throw damaged(file, this.#tagListPath, "names a tag twice");
    this.startTag = this.#tagNumber("run_info/start_tag_number");
    this.endTag = this.#tagNumber("run_info/end_tag_number");
    this.#checkRange();
    this.#checkWritten(`${this.#root}/event_info/time_stamp`);
    this.#times = this.#perTag("time_stamp");
    this.startTime = provenance?.run.starttime ?? this.#timeAt("start");
    this.stopTime = provenance?.run.stoptime ?? this.#timeAt("end");
    this.hightag = options.hightag ?? provenance?.run.hightagnumber ?? hightagAt(this.startTime);
    this.comment = file.text(`${this.#root}/exp_info/comment`) ?? "";
    this.detectors = this.#findDetectors();
    this.detectorIds = groupDetectors([...this.detectors.keys()]).flatMap(({ id, sensors }) =>
      sensors.includes(id) ? sensors : [id, ...sensors],
    );
  }

  /** Configured photon energy in keV. @throws UNSUPPORTED when the file has none */
  get photonEnergyKev(): number {
    const path = `${this.#root}/run_info/sacla_config/photon_energy_in_eV`;
    const energyEv = this.#file.number(path);
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

  /** Every name of a signal, with its path inside `event_info`. */
  get signals(): ReadonlyMap<string, string> {
    this.#signals ??= signalNames(this.#signalPaths(""));
    return this.#signals;
  }

  /** Position of a tag in {@link column}; undefined when the run has no such tag. */
  rowOf(tag: number): number | undefined {
    return this.#rows.get(tag);
  }

  /** Unix seconds of a tag of the run. */
  timeOf(tag: number): number | undefined {
    const row = this.#rows.get(tag);
    return row === undefined ? undefined : this.#times[row];
  }

  /**
   * The values at a path of `event_info`, one number per {@link rowOf}; NaN where {@link absenceOf} says why not.
   * @throws FILE_DAMAGED when it has another length than the tag list
   */
  column(signalPath: string): Float64Array {
    const known = this.#columns.get(signalPath);
    if (known !== undefined) return known;
    const isAbsent = this.absenceOf(signalPath) !== undefined;
    const column = isAbsent ? new Float64Array(this.#rows.size).fill(NaN) : this.#perTag(signalPath);
    this.#columns.set(signalPath, column);
    return column;
  }

  /** Unit of the signal at a path of `event_info`. */
  unitOf(signalPath: string): string {
    return this.#provenance?.signals.find((signal) => signal.leaf === signalPath)?.unit ?? unitOfPath(signalPath);
  }

  /** Why a signal has no values although it is there: never written, or its source is gone. */
  absenceOf(signalPath: string): Absence | undefined {
    if (!this.#absences.has(signalPath))
      this.#absences.set(signalPath, absenceOf(this.#file, `${this.#root}/event_info/${signalPath}`));
    return this.#absences.get(signalPath);
  }

  /** Status codes of a signal, in the order of {@link column}; undefined where the file has none, as most do. */
  statusOf(signalPath: string): Float64Array | undefined {
    if (this.absenceOf(signalPath) !== undefined) return new Float64Array(this.#rows.size).fill(STATUS_MISSING);
    return this.#provenance === undefined ? undefined : this.#file.numbers(`/sacla/signal_status/${signalPath}`);
  }

  /** What the source of the file said about the run, beyond what the layout holds. */
  get recorded(): RunInfo | undefined {
    return this.#provenance?.run;
  }

  get #tagListPath(): string {
    return `${this.#root}/event_info/tag_number_list`;
  }

  #beamline(): number {
    const path = `${this.#root}/event_info`;
    const found = this.#file.keys(path).flatMap((name) => /^bl_(\d+)$/.exec(name)?.[1] ?? []);
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
    const tags = required(this.#file, path, this.#file.numbers(path));
    if (tags.length === 0) throw damaged(this.#file, path, "is empty");
    const listed = Uint32Array.from(tags, unsigned);
    const odd = tags.find((tag, row) => unsigned(tag) !== listed[row]);
    if (odd !== undefined) throw notDataConvert(this.#file, path, `has ${odd}, which is not a tag`);
    return listed;
  }

  /** What was never written reads as zeros. */
  #checkWritten(path: string): void {
    const absence = absenceOf(this.#file, path);
    if (absence !== undefined) throw damaged(this.#file, path, `has no values: ${absence.what}`);
  }

  #tagNumber(name: string): number {
    const path = `${this.#root}/${name}`;
    return unsigned(required(this.#file, path, this.#file.number(path)));
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

  #perTag(signalPath: string): Float64Array {
    const path = `${this.#root}/event_info/${signalPath}`;
    const values = required(this.#file, path, this.#file.numbers(path));
    if (values.length !== this.#rows.size) {
      throw damaged(
        this.#file,
        path,
        `has ${values.length} values, but ${this.#tagListPath} has ${this.#rows.size} tags`,
      );
    }
    return values;
  }

  /** The time of an end of the run, which need not be in the list, from the nearest tag that has one. */
  #timeAt(end: "start" | "end"): number {
    const hasTime = (tag: number): boolean => Number.isFinite(this.timeOf(tag));
    const near = end === "start" ? this.tags.find(hasTime) : this.tags.findLast(hasTime);
    if (near === undefined)
      throw damaged(
        this.#file,
        `${this.#root}/event_info/time_stamp`,
        `has no time for any of its ${this.tags.length} tags`,
      );
    const tag = end === "start" ? this.startTag : this.endTag;
    return (this.timeOf(near) ?? NaN) + (tag - near) / TAG_RATE_HZ;
  }

  #findDetectors(): Map<string, StoredDetector> {
    const detectors = new Map<string, StoredDetector>();
    const groups = this.#file.keys(this.#root);
    for (const [group, k] of numbered(groups, /^detector_2d_(\d+)$/)) {
      const path = `${this.#root}/${group}`;
      const namePath = `${path}/detector_info/detector_name`;
      const id = required(this.#file, namePath, this.#file.text(namePath)) || `detector_2d_${k}`;
      if (detectors.has(id))
        throw damaged(this.#file, namePath, `is ${show(id)}, the name of another detector of the run too`);
      detectors.set(id, new StoredDetector(this.#file, path, id, this.run, this.tags));
    }
    this.#checkListedDetectors(groups);
    for (const [group] of numbered(groups, /^detector_2d_assembled_(\d+)$/)) {
      detectors.set(group, new StoredDetector(this.#file, `${this.#root}/${group}`, group, this.run, this.tags));
    }
    return detectors;
  }

  #checkListedDetectors(groups: readonly string[]): void {
    const path = `${this.#root}/run_info/detector_config/detector_2d_list`;
    for (const k of this.#file.numbers(path) ?? []) {
      if (!groups.includes(`detector_2d_${k}`))
        throw damaged(this.#file, `${this.#root}/detector_2d_${k}`, `is not there, though ${path} names it`);
    }
  }

  /** Paths below `event_info` of everything that can be a signal. */
  #signalPaths(below: string): string[] {
    return this.#file.keys(`${this.#root}/event_info/${below}`).flatMap((name) => {
      const signalPath = below === "" ? name : `${below}/${name}`;
      const kind = this.#file.kind(`${this.#root}/event_info/${signalPath}`);
      if (kind === "group") return this.#signalPaths(signalPath);
      return kind === "dataset" && signalPath !== "tag_number_list" && signalPath !== "time_stamp" ? [signalPath] : [];
    });
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

/** DataConvert stores tags as signed 32-bit: those above 2^31 come out negative. */
function unsigned(tag: number): number {
  return tag < 0 ? tag + 0x1_0000_0000 : tag;
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
