import { TAG_RATE_HZ } from "../../core/constants.ts";
import { type DetectorInfo, photonsPerAdu } from "../../core/detector.ts";
import { listDetectors } from "../../core/detectors.ts";
import { SaclaError, show, showList } from "../../core/errors.ts";
import { IMAGE_MISSING, IMAGE_THERE, imageState } from "../../core/image-states.ts";
import { hightagAt } from "../../core/japan.ts";
import type { Pixels } from "../../core/ndarray.ts";
import { nearestNames } from "../../core/nearest-names.ts";
import { type Column, emptyColumn, setEntry } from "../../core/syncdb.ts";
import { TagRows } from "../../core/tag-rows.ts";
import { badPixelReasons } from "../../ip/index.ts";
import type { DataSource } from "../../source/data-source.ts";
import type { CallResult, RunInfo } from "../../transport/methods.ts";
import { imageAxis, imageShape } from "../direct/dataset.ts";
import { type Absence, absenceOf, frameMissing } from "./absence.ts";
import type { ArchiveOptions } from "./dataconvert.ts";
import { FileCitius } from "./file-citius.ts";
import type { H5File } from "./h5file.ts";
import { unlessOdd } from "./h5types.ts";
import { type Provenance, readProvenance } from "./provenance.ts";
import { type FoundMask, readStackMask, type StackMask } from "./stack-mask.ts";
import { entryFrom, StoredSignals } from "./stored-signals.ts";
import { fillTimes } from "./tag-lists.ts";

/** What an axis of an array counts; a number is the one place of it. */
type StackAxis = "shot" | "row" | "column" | number;

/** A sensor in the arrays of a file. */
export interface StackPart {
  readonly info: DetectorInfo;
  /** Its first row and column. */
  readonly row: number;
  readonly column: number;
  /** Path of its array. @default that of the shot */
  readonly path?: string;
  /** Axes of that array. @default [row, column], with the shot in front where the array has all shots */
  readonly axes?: readonly StackAxis[];
  /** Its rows stand in the file in reverse order. */
  readonly isMirrored?: boolean;
  /** Which of its pixels are bad. */
  readonly mask?: StackMask | undefined;
  /** 1 for each pixel that the geometry excludes, where it excludes any. */
  readonly excluded?: Uint8Array;
}

/** What a file with all sensors of a detector in one array says; shots in the order of the file. */
export interface StackContent {
  readonly title: string;
  /** In the order of the file, each once; empty: the file names none, and its shots are counted from 1. */
  readonly tags: ArrayLike<number>;
  readonly images: number;
  /** One a shot, or one for all; empty when the file has none. */
  readonly energiesEv: readonly number[];
  readonly parts: readonly StackPart[];
  /** Shape of the array of each shot but for axes of 1, where each has one of its own. */
  readonly imageShape?: readonly number[];
  /** The unit of the file's pixels, per photon; null when it is not known to have photons. */
  readonly unitsPerPhoton: number | null;
  /** Path of the array of a shot, and the shot's place in it; null when each shot has an array of its own. */
  place(shot: number): { readonly path: string; readonly index: number | null };
  readonly bl: number | null;
  readonly run: number | null;
  readonly comment: string;
  readonly startTime: number | null;
  /** What is odd about the file, each a sentence that names the place. */
  readonly notes?: readonly string[];
}

const EVENTS = "/sacla/event_info";
const TIMES = `${EVENTS}/time_stamp`;
const ARRAY: readonly StackAxis[] = ["row", "column"];
const ARRAYS: readonly StackAxis[] = ["shot", "row", "column"];

/**
 * A file whose images hold all sensors in one array, as a source of one run. Pixels are photons where the file says how
 * many units a photon has; then `absGain` is what makes one ADU one photon at the mean photon energy.
 */
export class StackSource implements DataSource {
  readonly name: string;
  readonly #file: H5File;
  readonly #content: StackContent;
  readonly #options: ArchiveOptions;
  readonly #provenance: Provenance | undefined;
  readonly #bl: number;
  readonly #run: number;
  #info: RunInfo;
  /** Where each tag stands in the file. */
  #rows: TagRows;
  /** Ascending. */
  #tags: Uint32Array;
  /** Number of the first shot where the file names no tags. */
  #firstShot = 1;
  readonly #times: Float64Array | undefined;
  readonly #signals: StoredSignals;
  readonly #meanEv: number | null;
  readonly #sensors: ReadonlyMap<string, StackPart>;
  /** Why there are no pixels, or not all, by path. */
  readonly #absences = new Map<string, Absence | undefined>();
  readonly citius: FileCitius = new FileCitius(this);
  readonly #masks = new Map<string, FoundMask | undefined>();

  constructor(path: string, file: H5File, content: StackContent, options: ArchiveOptions) {
    this.name = `the ${content.title} file ${path}`;
    this.#file = file;
    this.#content = content;
    this.#options = options;
    const provenance = readProvenance(file);
    this.#provenance = provenance;
    this.#bl = options.bl ?? provenance?.request.bl ?? content.bl ?? 3;
    this.#run = provenance?.request.run ?? content.run ?? 1;
    if (content.images === 0)
      throw new SaclaError(
        "FILE_DAMAGED",
        `${show(path)} has no shot: its array of images is empty, or not yet written.`,
      );
    this.#rows = this.#rowsFrom(1);
    this.#tags = this.#rows.ascending;
    this.#times = this.#storedTimes();
    this.#signals = new StoredSignals(file, EVENTS, this.#tags.length, provenance);
    const energies = content.energiesEv.filter((energyEv) => energyEv > 0);
    this.#meanEv = energies.length === 0 ? null : energies.reduce((a, b) => a + b, 0) / energies.length;
    this.#sensors = new Map(content.parts.map((part) => [part.info.id, part]));
    this.#info = provenance?.run ?? this.#guessedInfo();
  }

  /** How many shots are counted, because the file names no tags. */
  get countedShots(): number {
    return this.#content.tags.length > 0 ? 0 : this.#content.images;
  }

  /** Counts the shots of a file without tags from another number than 1 on. */
  countFrom(first: number): void {
    this.#firstShot = first;
    this.#rows = this.#rowsFrom(first);
    this.#tags = this.#rows.ascending;
    this.#info = this.#provenance?.run ?? this.#guessedInfo();
  }

  /** Names of other files that have images of this one, by links or as sources of a virtual dataset. */
  get imageFiles(): readonly string[] {
    const { images } = this.#content;
    const places = Array.from({ length: images }, (_, shot) => this.#content.place(shot));
    // Where each shot has an array of its own, these are in this file.
    const paths = new Set(places.flatMap(({ path, index }) => (index === null && images > 1 ? [] : path)));
    return [...paths].flatMap((path) => {
      const link = this.#file.linkOut(path);
      const names = link === undefined ? this.#file.virtualSources(path).map(({ name }) => name) : [link.file];
      return names.filter((name) => name !== ".");
    });
  }

  apiVersion(): string {
    return this.#content.title;
  }
  beamlines(): readonly number[] {
    return [this.#bl];
  }
  runs(bl: number): readonly number[] {
    return bl === this.#bl ? [this.#run] : [];
  }
  runStatus(bl: number, run: number): number {
    return bl === this.#bl && run === this.#run ? 0 : -1;
  }
  runInfo(): RunInfo {
    const masks = this.#provenance === undefined ? this.#notesOfMasks() : [];
    const hasTimes = this.#times !== undefined || this.#file.kind(TIMES) === undefined;
    const times = hasTimes
      ? []
      : [`${TIMES} is not one time for each shot: times are counted from the start of the run`];
    const counted = this.#firstShot === 1 ? [] : [`its shots are counted from ${this.#firstShot} on`];
    const notes = [...counted, ...masks, ...times, ...(this.#content.notes ?? []), ...this.#signals.notes];
    return { ...this.#info, hightagnumber: this.#hightag, ...(notes.length === 0 ? {} : { notes }) };
  }
  photonEnergyKev(): number {
    if (this.#meanEv !== null) return this.#meanEv / 1000;
    throw new SaclaError("UNSUPPORTED", `${this.name} has no photon energy.`);
  }
  detectors(): readonly string[] {
    return listDetectors([...this.#sensors.keys()]);
  }
  tags(_bl: number, _run: number, detId?: string): Uint32Array {
    if (detId === undefined) return this.#tags.slice();
    const part = this.#sensors.get(detId);
    return this.#tags.filter((tag) => this.#absenceAt(this.#rows.rowOf(tag) ?? 0, part) === undefined);
  }
  tagsBetween(bl: number, hightag: number, first: number, last: number): Uint32Array {
    this.#checkHightag(hightag);
    return this.#tags.filter((tag) => bl === this.#bl && tag >= first && tag <= last);
  }
  newestTag(equipId: string): [hightag: number, tag: number] {
    if (!this.#signals.names.has(equipId) && equipId !== this.#spectrometer) throw this.#unknownSignal(equipId);
    return [this.#hightag, this.#tags.at(-1) ?? 0];
  }
  hightagAt(unixSeconds: number): number {
    return this.#options.hightag ?? hightagAt(unixSeconds);
  }
  timestamp(hightag: number, tag: number): number {
    this.#checkHightag(hightag);
    const row = this.#rows.rowOf(tag);
    if (row === undefined)
      throw new SaclaError("TAG_OUTSIDE_RUN", `${this.name} has no tag ${tag}; take tags from readTaglistByrun.`, {
        details: { hightag, tag },
      });
    return this.#times?.[row] ?? this.#info.starttime + (tag - this.#info.start_tagnumber) / TAG_RATE_HZ;
  }
  equipment(): readonly string[] {
    return [...new Set([...this.#signals.names.keys(), ...(this.#meanEv === null ? [] : [this.#spectrometer])])].sort();
  }
  column(equipId: string, hightag: number, tags: Uint32Array): Column {
    this.#checkHightag(hightag);
    if (equipId === this.#spectrometer && this.#meanEv !== null) return this.#rows.pick(this.#energies(), tags);
    const path = this.#signals.pathOf(equipId);
    if (path === undefined) throw this.#unknownSignal(equipId);
    return { ...this.#rows.pick(this.#signals.column(path), tags), equipId };
  }
  detectorInfo(_bl: number, _run: number, detId: string): DetectorInfo {
    const { info } = this.#part(detId);
    const { unitsPerPhoton } = this.#content;
    if (unitsPerPhoton === null) return info;
    // One ADU is one photon.
    const absGain = this.#meanEv === null ? info.absGain : 1 / photonsPerAdu(1, this.#meanEv);
    return { ...info, absGain, pixelUnit: "photon" };
  }
  readFrame(_bl: number, _run: number, detId: string, tag: number, out: Pixels): boolean {
    const row = this.#rows.rowOf(tag);
    if (row === undefined) return false;
    const part = this.#part(detId);
    const { path: shared, index } = this.#content.place(row);
    const path = part.path ?? shared;
    const absence = this.#absenceAt(row, part);
    if (absence !== undefined)
      throw frameMissing(detId, this.#run, tag, `${path} of ${show(this.#file.path)}`, absence);
    if (index === null && part.axes === undefined) this.#checkShape(path);
    this.#readPart(path, index ?? 0, part, part.axes ?? (index === null ? this.#axesOfOne(path) : ARRAYS), out);
    const units = this.#content.unitsPerPhoton ?? 1;
    if (units !== 1) for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? NaN) / units;
    return true;
  }
  imageStates(_bl: number, _run: number, detId: string, tags: Uint32Array): Uint8Array {
    const part = this.#part(detId);
    return Uint8Array.from(tags, (tag) => {
      const row = this.#rows.rowOf(tag);
      if (row === undefined) return IMAGE_MISSING;
      const absence = this.#absenceAt(row, part);
      return absence === undefined ? IMAGE_THERE : imageState(`frame-${absence.reason}`);
    });
  }
  badPixels(_bl: number, _run: number, detId: string): CallResult<"st.readBadPixels"> {
    const part = this.#part(detId);
    const { info, excluded } = part;
    const found = this.#maskOf(part);
    const masked = found === undefined || "why" in found ? undefined : found.reasons;
    if (masked === undefined && excluded === undefined) return null;
    const data = masked?.slice() ?? new Uint8Array(info.ysize * info.xsize);
    for (const [i, is] of excluded?.entries() ?? []) if (is === 1) data[i] = (data[i] ?? 0) | badPixelReasons.dead;
    return { shape: [info.ysize, info.xsize], data };
  }
  close(): void {
    this.#file.close();
  }

  #maskOf(part: StackPart): FoundMask | undefined {
    const { info, mask } = part;
    if (mask === undefined) return undefined;
    let found = this.#masks.get(info.id);
    if (found === undefined) {
      const axes = this.#axesOfMask(part, mask.path);
      found = readStackMask(this.#file, mask, info.ysize * info.xsize, axes.length, (surplus, out) => {
        this.#readPart(mask.path, 0, part, [...Array.from({ length: surplus }, () => 0), ...axes], out);
      });
      this.#masks.set(info.id, found);
    }
    return found;
  }

  /** Those of the images but that of the shots; a mask of [rows, columns] is enough where there is one module. */
  #axesOfMask(part: StackPart, path: string): StackAxis[] {
    const stored = part.axes ?? ARRAY;
    const shape = this.#file.shape(part.path ?? this.#content.place(0).path) ?? [];
    const axes = stored.filter((axis) => axis !== "shot");
    const isFlat = this.#file.shape(path)?.length === ARRAY.length;
    const bare = stored.filter((axis, k) => axis !== "shot" && !(typeof axis === "number" && shape[k] === 1));
    return isFlat && bare.length === ARRAY.length ? bare : axes;
  }

  #notesOfMasks(): string[] {
    const counts = new Map<string, [bad: number, all: number]>();
    const notes = new Set<string>();
    for (const part of this.#sensors.values()) {
      const found = this.#maskOf(part);
      const path = part.mask?.path ?? "";
      if (found === undefined) continue;
      if ("why" in found) notes.add(`the mask ${path} is not used: ${found.why}`);
      else {
        const [bad, all] = counts.get(path) ?? [0, 0];
        const more = found.reasons.reduce((count, reason) => count + (reason === 0 ? 0 : 1), 0);
        counts.set(path, [bad + more, all + found.reasons.length]);
      }
    }
    for (const [path, [bad, all]] of counts)
      if (bad > 0) notes.add(`${bad} of ${all} pixels are bad by ${path}, and are left out`);
    return [...notes];
  }

  #readPart(path: string, shot: number, part: StackPart, axes: readonly StackAxis[], out: Pixels): void {
    const { info, row, column, isMirrored = false } = part;
    const { ysize, xsize } = info;
    const start = { shot, row, column };
    const length = { shot: 1, row: ysize, column: xsize };
    const offset = axes.map((axis) => (typeof axis === "number" ? axis : start[axis]));
    const count = axes.map((axis) => (typeof axis === "number" ? 1 : length[axis]));
    const isTurned = axes.indexOf("column") < axes.indexOf("row");
    const stored = isTurned || isMirrored ? new Float32Array(out.length) : out;
    this.#file.readSlab(path, offset, count, stored);
    if (stored === out) return;
    for (let r = 0; r < ysize; r++) {
      const from = isMirrored ? ysize - 1 - r : r;
      for (let c = 0; c < xsize; c++)
        out[r * xsize + c] = stored[isTurned ? c * ysize + from : from * xsize + c] ?? NaN;
    }
  }

  /** A part of a larger image would be another picture, and what are no numbers is none. */
  #checkShape(path: string): void {
    const { imageShape: wanted = [] } = this.#content;
    const shape = this.#file.shape(path);
    if (shape === undefined || (imageShape(shape).join() === wanted.join() && this.#file.hasNumbers(path))) return;
    const what = `is ${this.#file.described(path)}, but the images are numbers of shape [${wanted.join(", ")}]`;
    throw new SaclaError("FILE_DAMAGED", `${path} of ${show(this.#file.path)} ${what}.`, { details: { path } });
  }

  /** Axes of the array of one shot: rows and columns, and those of 1 that stand before or behind. */
  #axesOfOne(path: string): readonly StackAxis[] {
    const shape = this.#file.shape(path) ?? [];
    const axis = imageAxis(shape) ?? 0;
    return shape.map((_, k) => (k === axis ? "row" : k === axis + 1 ? "column" : 0));
  }

  /** Why the image of a shot is not there: HDF5 would give zeros. */
  #absenceAt(row: number, part: StackPart | undefined): Absence | undefined {
    const { path: shared, index } = this.#content.place(row);
    const path = part?.path ?? shared;
    const axis = part?.axes?.indexOf("shot") ?? 0;
    // One module whose file is gone takes none of the others with it.
    const second = axis === 0 ? part?.axes?.[1] : undefined;
    const module = typeof second === "number" ? second : undefined;
    const key = `${path} ${module}`;
    if (!this.#absences.has(key)) this.#absences.set(key, absenceOf(this.#file, path, undefined, { module }));
    const absence = this.#absences.get(key);
    return index !== null && axis === 0 && absence?.written?.[index] === 1 ? undefined : absence;
  }

  get #hightag(): number {
    return this.#options.hightag ?? (this.#info.hightagnumber || hightagAt(this.#info.starttime));
  }

  get #spectrometer(): string {
    return `xfel_bl_${this.#bl}_tc_spec_1/energy`;
  }

  #rowsFrom(first: number): TagRows {
    const { tags, images } = this.#content;
    return new TagRows(Uint32Array.from(tags.length > 0 ? tags : { length: images }, (tag, i) => tag ?? first + i));
  }

  /** Photon energies of all shots, in the order of the file. */
  #energies(): Column {
    const { energiesEv } = this.#content;
    const column = emptyColumn(this.#spectrometer, "keV", this.#tags.length);
    for (let row = 0; row < column.values.length; row++)
      setEntry(column, row, entryFrom(((energiesEv.length === 1 ? energiesEv[0] : energiesEv[row]) ?? NaN) / 1000));
    return column;
  }

  /** One for each shot, in the order of the file. */
  #storedTimes(): Float64Array | undefined {
    const stored = unlessOdd(() => absenceOf(this.#file, TIMES)) === undefined && this.#file.numbersOrNone(TIMES);
    if (!stored || stored.length !== this.#tags.length || !stored.some(Number.isFinite)) return undefined;
    fillTimes(stored, this.#rows);
    return stored;
  }

  #guessedInfo(): RunInfo {
    const { comment, startTime } = this.#content;
    const [first = 0, last = 0] = [this.#tags[0], this.#tags.at(-1)];
    const starttime = this.#times?.[this.#rows.rowOf(first) ?? 0] ?? startTime ?? 0;
    return {
      starttime,
      stoptime: starttime + (last + 1 - first) / TAG_RATE_HZ,
      total_tagnumber: last + 1 - first,
      start_tagnumber: first,
      end_tagnumber: last + 1,
      hightagnumber: hightagAt(starttime),
      comment,
      runtype: "",
      stationnumber: 0,
      runstatus: 0,
    };
  }

  #part(detId: string): StackPart {
    const part = this.#sensors.get(detId);
    if (part !== undefined) return part;
    throw new SaclaError("UNKNOWN_DETECTOR", `${this.name} has no sensor ${detId}: ${showList(this.detectors())}.`);
  }

  #checkHightag(hightag: number): void {
    if (hightag === this.#hightag) return;
    throw new SaclaError("UNKNOWN_HIGHTAG", `${this.name} has HighTag ${this.#hightag}, not ${hightag}.`, {
      details: { hightag, known: [this.#hightag] },
    });
  }

  #unknownSignal(equipId: string): SaclaError {
    const near = nearestNames(equipId, this.equipment());
    return new SaclaError("UNKNOWN_SIGNAL", `${this.name} has no signal ${equipId}; near are ${showList(near)}.`, {
      details: { equipId, near },
    });
  }
}
