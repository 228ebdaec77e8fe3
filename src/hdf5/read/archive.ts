import type { DetectorInfo } from "../../core/detector.ts";
import { Detectors } from "../../core/detectors.ts";
import { SaclaError, showList } from "../../core/errors.ts";
import { hightagAt } from "../../core/japan.ts";
import type { Pixels } from "../../core/ndarray.ts";
import { nearestNames } from "../../core/nearest-names.ts";
import { type Column, firstRecorded } from "../../core/syncdb.ts";
import type { DataSource } from "../../source/data-source.ts";
import type { CallResult, RunInfo } from "../../transport/methods.ts";
import { type ArchiveOptions, readRuns, type StoredRun } from "./dataconvert.ts";
import { FileCitius } from "./file-citius.ts";
import type { H5File } from "./h5file.ts";
import { ARCHIVED_TAGS_AT_ONCE } from "./stored-signals.ts";

/** A file in the DataConvert layout as a source of shots. @throws NOT_DATACONVERT, FILE_DAMAGED */
export function readArchive(path: string, file: H5File, options: ArchiveOptions): DataSource {
  return new Archive(path, file, options);
}

/** Whether an archive lists runs that cannot be read now. */
export function hasLostRuns(source: DataSource): boolean {
  return source instanceof Archive && source.lostRuns > 0;
}

type PlaceOfSignal = readonly [run: StoredRun, signalPath: string];

class Archive implements DataSource {
  readonly name: string;
  readonly citius: FileCitius = new FileCitius(this);
  readonly tagsAtOnce: number = ARCHIVED_TAGS_AT_ONCE;
  readonly #file: H5File;
  readonly #hightag: number | undefined;
  /** Ascending by run number. */
  readonly #runs: readonly StoredRun[];
  readonly #version: string;
  /** What the list of runs names and cannot be read. */
  readonly #lost: readonly string[];

  constructor(path: string, file: H5File, options: ArchiveOptions) {
    this.#file = file;
    this.#hightag = options.hightag;
    const { runs, lost } = readRuns(file, options);
    this.name = `the archive ${path}${lost.size === 0 ? "" : ` (without run ${showList([...lost.keys()])})`}`;
    this.#lost = [...lost].map(([run, { message }]) => `run ${run} cannot be read: ${message}`);
    this.#runs = runs;
    const version = "/file_info/version";
    this.#version = `DataConvert ${file.textOrNone(version) ?? file.numberOrNone(version) ?? ""}`.trim();
  }

  get lostRuns(): number {
    return this.#lost.length;
  }

  apiVersion(): string {
    return this.#version;
  }

  beamlines(): readonly number[] {
    return [...new Set(this.#runs.map(({ bl }) => bl))].sort((a, b) => a - b);
  }

  runs(bl: number, last: number): readonly number[] {
    return this.#runs
      .filter((run) => run.bl === bl)
      .map(({ run }) => run)
      .slice(-last);
  }

  runStatus(bl: number, run: number): number {
    return this.#find(bl, run) === undefined ? -1 : 0;
  }

  runInfo(bl: number, run: number): RunInfo {
    const stored = this.#run(bl, run);
    const notes = [...this.#lost, ...stored.notes];
    return {
      starttime: stored.startTime,
      stoptime: stored.stopTime,
      total_tagnumber: stored.endTag - stored.startTag,
      start_tagnumber: stored.startTag,
      end_tagnumber: stored.endTag,
      hightagnumber: stored.hightag,
      comment: stored.comment,
      runtype: "",
      stationnumber: 0,
      runstatus: 0,
      // A file of `sacla convert` says more, and the comment with its spaces.
      ...(stored.recorded === undefined ? {} : { ...stored.recorded, hightagnumber: stored.hightag }),
      ...(notes.length === 0 ? {} : { notes }),
    };
  }

  photonEnergyKev(bl: number, run: number): number {
    return this.#run(bl, run).photonEnergyKev;
  }

  detectors(bl: number, run: number): readonly string[] {
    return this.#run(bl, run).detectorIds;
  }

  detectorsWithoutImages(bl: number, run: number): readonly string[] {
    const { detectors, present } = this.#run(bl, run);
    return [...detectors.keys()].filter((id) => !present.has(id));
  }

  tags(bl: number, run: number, detId?: string): Uint32Array {
    const stored = this.#run(bl, run);
    if (detId === undefined) return stored.tags.slice();
    const detector = stored.detectors.get(detId);
    if (detector !== undefined) return detector.tags.slice();
    // A composite has the tags for which all its sensors have an image.
    const sensors = [...stored.present.values()]
      .filter(({ id }) => id.startsWith(`${detId}-`))
      .map((sensor) => new Set(sensor.tags));
    return stored.tags.filter((tag) => sensors.every((tags) => tags.has(tag)));
  }

  tagsBetween(bl: number, hightag: number, first: number, last: number): Uint32Array {
    const runs = this.#runsWith(hightag).filter((run) => run.bl === bl);
    const tags = new Set(runs.flatMap((run) => [...run.tags.filter((tag) => tag >= first && tag <= last)]));
    return Uint32Array.from(tags).sort();
  }

  newestTag(equipId: string): [hightag: number, tag: number] {
    const newest = this.#runs.findLast((run) => run.signals.names.has(equipId));
    const tag = newest?.tags.at(-1);
    if (newest === undefined || tag === undefined) throw this.#unknownSignal(equipId);
    return [newest.hightag, tag];
  }

  hightagAt(unixSeconds: number): number {
    return this.#hightag ?? hightagAt(unixSeconds);
  }

  timestamp(hightag: number, tag: number, equipId: string): number {
    for (const [run] of this.#pathsOf(equipId, hightag)) {
      const time = run.timeOf(tag);
      if (time !== undefined && Number.isFinite(time)) return time;
    }
    throw new SaclaError(
      "TAG_OUTSIDE_RUN",
      `${this.name} has no time for tag ${tag} of HighTag ${hightag}; take tags from readTaglistByrun.`,
      {
        details: { hightag, tag },
      },
    );
  }

  equipment(): readonly string[] {
    return [...new Set(this.#runs.flatMap((run) => [...run.signals.names.keys()]))].sort();
  }

  column(equipId: string, hightag: number, tags: Uint32Array): Column {
    const [first, ...others] = this.#pathsOf(equipId, hightag);
    const pick = ([{ rows, signals }, path]: PlaceOfSignal): Column =>
      rows.isWhole(tags) ? signals.wholeColumn(path) : rows.pick(signals.column(path), tags);
    return { ...firstRecorded([pick(first), ...others.map(pick)]), equipId };
  }

  detectorInfo(bl: number, run: number, detId: string): DetectorInfo {
    return this.#detector(bl, run, detId).info;
  }

  readFrame(bl: number, run: number, detId: string, tag: number, out: Pixels): boolean | Promise<boolean> {
    return this.#detector(bl, run, detId).readImage(tag, out);
  }

  imageStates(bl: number, run: number, detId: string, tags: Uint32Array): Uint8Array {
    return this.#detector(bl, run, detId).statesOf(tags);
  }

  badPixels(bl: number, run: number, detId: string): CallResult<"st.readBadPixels"> {
    return this.#detector(bl, run, detId).badPixels;
  }

  imageOffsets(bl: number, run: number, detId: string, tags: Uint32Array): CallResult<"st.readImageOffsets"> {
    return this.#detector(bl, run, detId).offsetsOf(tags);
  }

  close(): void {
    this.#file.close();
  }

  #find(bl: number, run: number): StoredRun | undefined {
    return this.#runs.find((stored) => stored.bl === bl && stored.run === run);
  }

  #run(bl: number, run: number): StoredRun {
    const stored = this.#find(bl, run);
    if (stored === undefined)
      throw new SaclaError("UNKNOWN_RUN", `${this.name} has no run ${run} of beamline ${bl}.`, {
        details: { bl, run },
      });
    return stored;
  }

  #detector(bl: number, run: number, detId: string) {
    const { detectors } = this.#run(bl, run);
    return (
      detectors.get(detId) ?? new Detectors(detectors.keys(), `Run ${run} of ${this.name}`, { bl, run }).unlisted(detId)
    );
  }

  #runsWith(hightag: number): readonly StoredRun[] {
    const runs = this.#runs.filter((run) => run.hightag === hightag);
    if (runs.length > 0) return runs;
    const known = [...new Set(this.#runs.map((run) => run.hightag))];
    throw new SaclaError(
      "UNKNOWN_HIGHTAG",
      `${this.name} has no shots of HighTag ${hightag}; its runs have ${showList(known)}, ` +
        (this.#hightag === undefined
          ? "derived from their time because the file stores none (set it with ?hightag=…)."
          : "as it was opened with."),
      { details: { hightag, known } },
    );
  }

  /** The runs of a HighTag that have a signal, with its path inside `event_info`. */
  #pathsOf(equipId: string, hightag: number): [PlaceOfSignal, ...PlaceOfSignal[]] {
    const [first, ...others] = this.#runsWith(hightag).flatMap((run): PlaceOfSignal[] => {
      const signalPath = run.signals.pathOf(equipId);
      return signalPath === undefined ? [] : [[run, signalPath]];
    });
    if (first === undefined) throw this.#unknownSignal(equipId);
    return [first, ...others];
  }

  #unknownSignal(equipId: string): SaclaError {
    const near = nearestNames(equipId, this.equipment());
    return new SaclaError(
      "UNKNOWN_SIGNAL",
      `${this.name} has no signal ${equipId}; the nearest names are ${showList(near)}.`,
      {
        details: { equipId, near },
      },
    );
  }
}
