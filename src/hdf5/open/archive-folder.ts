import { readdir } from "node:fs/promises";
import type { DetectorInfo } from "../../core/detector.ts";
import { isSaclaError, SaclaError, show, showList } from "../../core/errors.ts";
import type { Pixels } from "../../core/ndarray.ts";
import { nearestNames } from "../../core/nearest-names.ts";
import { type Column, emptyColumn, firstRecorded } from "../../core/syncdb.ts";
import type { DataSource } from "../../source/data-source.ts";
import type { CallResult, RunInfo } from "../../transport/methods.ts";
import { ENDINGS } from "../read/browse.ts";
import type { ArchiveOptions } from "../read/dataconvert.ts";
import { FileCitius } from "../read/file-citius.ts";
import { ARCHIVED_TAGS_AT_ONCE } from "../read/stored-signals.ts";
import { type FolderFile, filesOf, OpenFiles, type RunPart } from "./folder-files.ts";
import { FolderRun } from "./folder-run.ts";
import type { openArchive } from "./open-archive.ts";

/**
 * All archives of a folder, not of folders in it, as one source of shots. Files that cannot be read are left out, and
 * named in the source's name. A run whose shots are in several files is one run; a shot that is in two files is taken
 * from the first by name. Shots of files that name no tags are counted on from file to file; those whose images another
 * file has by links, as a DECTRIS master, are left out. Each file is opened once for its runs, and again when something
 * is asked of it: there may be more of them than a process can hold open. Which runs a file has is kept in the user's
 * cache folder, by its size and time of change. Files that come later are not seen.
 *
 * @param folder - its path
 * @param options - as of {@link openArchive}, for each file
 * @throws FILE_NOT_FOUND when there is no such folder, or no archive in it
 * @example
 * const source = await openArchiveFolder("2014A");
 */
export async function openArchiveFolder(folder: string, options: ArchiveOptions = {}): Promise<DataSource> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => ENDINGS.test(name)).sort();
  } catch (cause) {
    throw new SaclaError("FILE_NOT_FOUND", `${show(folder)} is no folder that can be read.`, {
      details: { folder },
      cause,
    });
  }
  const pool = new OpenFiles(options);
  try {
    const { files, leftOut } = await filesOf(folder, names, pool, options);
    if (files.length === 0) {
      throw new SaclaError(
        "FILE_NOT_FOUND",
        `${show(folder)} has no file in the DataConvert layout; its .h5 files are ${showList(leftOut)}.`,
        {
          details: { folder, leftOut },
        },
      );
    }
    return new ArchiveFolder(folder, files, pool, leftOut);
  } catch (error) {
    await pool.close();
    throw error;
  }
}

/** Files whose signals are looked through for names near one that is not there. */
const MOST_ASKED = 16;

class ArchiveFolder implements DataSource {
  readonly name: string;
  readonly citius: FileCitius = new FileCitius(this);
  readonly tagsAtOnce: number = ARCHIVED_TAGS_AT_ONCE;
  readonly #files: readonly FolderFile[];
  readonly #pool: OpenFiles;
  readonly #beamlines: readonly number[];
  /** By beamline and run, in the order of the names of files. */
  readonly #parts = new Map<string, [RunPart, ...RunPart[]]>();
  readonly #runs = new Map<string, FolderRun>();
  #equipment: Promise<readonly string[]> | undefined;

  constructor(folder: string, files: readonly FolderFile[], pool: OpenFiles, leftOut: readonly string[]) {
    const without = leftOut.length === 0 ? "" : `, without ${showList(leftOut)}`;
    this.name = `the ${files.length} archives in ${folder}${without}`;
    this.#files = files;
    this.#pool = pool;
    this.#beamlines = [...new Set(files.flatMap(({ beamlines }) => beamlines))].sort((a, b) => a - b);
    for (const part of files.flatMap(({ parts }) => parts)) {
      const key = `${part.bl} ${part.run}`;
      const known = this.#parts.get(key);
      if (known === undefined) this.#parts.set(key, [part]);
      else known.push(part);
    }
  }

  apiVersion(): string {
    return [...new Set(this.#files.map((file) => file.apiVersion))].join(", ");
  }

  beamlines(): readonly number[] {
    return this.#beamlines;
  }

  runs(bl: number, last: number): readonly number[] {
    const runs = [...this.#parts.values()].flatMap(([part]) => (part.bl === bl ? [part.run] : []));
    return runs.sort((a, b) => a - b).slice(-last);
  }

  runStatus(bl: number, run: number): number {
    return this.#parts.has(`${bl} ${run}`) ? 0 : -1;
  }

  async runInfo(bl: number, run: number): Promise<RunInfo> {
    return await this.#run(bl, run).info();
  }

  async photonEnergyKev(bl: number, run: number): Promise<number> {
    return await this.#run(bl, run).photonEnergyKev();
  }

  async detectors(bl: number, run: number): Promise<readonly string[]> {
    return await this.#run(bl, run).detectors();
  }

  async detectorsWithoutImages(bl: number, run: number): Promise<readonly string[]> {
    return await this.#run(bl, run).detectorsWithoutImages();
  }

  async tags(bl: number, run: number, detId?: string): Promise<Uint32Array> {
    return await this.#run(bl, run).tags(detId);
  }

  async tagsBetween(bl: number, hightag: number, first: number, last: number): Promise<Uint32Array> {
    const parts = await this.#ask(this.#filesWith(first, last), "UNKNOWN_HIGHTAG", (source) =>
      source.tagsBetween(bl, hightag, first, last),
    );
    return Uint32Array.from(new Set(parts.flatMap((tags) => [...tags]))).sort();
  }

  async newestTag(equipId: string): Promise<[hightag: number, tag: number]> {
    // The newest files first: of the others most need not be opened.
    const parts = [...this.#parts.values()].flat().sort((a, b) => b.hightag - a.hightag || b.tags[1] - a.tags[1]);
    let newest: [hightag: number, tag: number] | undefined;
    const isNewer = (hightag: number, tag: number): boolean =>
      newest === undefined || hightag > newest[0] || (hightag === newest[0] && tag > newest[1]);
    for (const { hightag, tags, file } of parts) {
      if (!isNewer(hightag, tags[1])) break;
      try {
        const found = await file.ask((source) => source.newestTag(equipId));
        if (isNewer(...found)) newest = found;
      } catch (error) {
        if (!isSaclaError(error, "UNKNOWN_SIGNAL")) throw error;
      }
    }
    if (newest === undefined) throw await this.#unknownSignal(equipId, this.#files);
    return newest;
  }

  async hightagAt(unixSeconds: number): Promise<number> {
    const [first] = this.#files;
    if (first === undefined) throw new SaclaError("INTERNAL", "A folder without archives was opened.");
    return await first.ask((source) => source.hightagAt(unixSeconds));
  }

  async timestamp(hightag: number, tag: number, equipId: string): Promise<number> {
    const [time] = await this.#ask(
      this.#filesWith(tag, tag),
      ["UNKNOWN_SIGNAL", "UNKNOWN_HIGHTAG", "TAG_OUTSIDE_RUN"],
      (source) => source.timestamp(hightag, tag, equipId),
      equipId,
    );
    return time ?? NaN;
  }

  async equipment(): Promise<readonly string[]> {
    this.#equipment ??= this.#signalsOf(this.#files);
    return await this.#equipment;
  }

  async #signalsOf(files: readonly FolderFile[]): Promise<readonly string[]> {
    const ids = new Set<string>();
    for (const file of files) for (const id of await file.ask((source) => source.equipment())) ids.add(id);
    return [...ids].sort();
  }

  async column(equipId: string, hightag: number, tags: Uint32Array): Promise<Column> {
    const parts = await this.#ask(
      this.#filesWith(
        tags.reduce((a, b) => Math.min(a, b), Infinity),
        tags.reduce((a, b) => Math.max(a, b), 0),
      ),
      ["UNKNOWN_SIGNAL", "UNKNOWN_HIGHTAG"],
      (source) => source.column(equipId, hightag, tags),
      equipId,
    );
    const [first = emptyColumn(equipId, "", tags.length), ...others] = parts;
    return firstRecorded([first, ...others]);
  }

  async detectorInfo(bl: number, run: number, detId: string): Promise<DetectorInfo> {
    return await this.#run(bl, run).detectorInfo(detId);
  }

  async readFrame(bl: number, run: number, detId: string, tag: number, out: Pixels): Promise<boolean> {
    return await this.#run(bl, run).readFrame(detId, tag, out);
  }

  async imageOffsets(
    bl: number,
    run: number,
    detId: string,
    tags: Uint32Array,
  ): Promise<CallResult<"st.readImageOffsets">> {
    return await this.#run(bl, run).imageOffsets(detId, tags);
  }

  async imageStates(bl: number, run: number, detId: string, tags: Uint32Array): Promise<Uint8Array> {
    return await this.#run(bl, run).imageStates(detId, tags);
  }

  async badPixels(bl: number, run: number, detId: string): Promise<CallResult<"st.readBadPixels">> {
    return await this.#run(bl, run).badPixels(detId);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** @param files - whose names are near: to hear those of thousands takes long */
  async #unknownSignal(equipId: string, files: readonly FolderFile[]): Promise<SaclaError> {
    const near = nearestNames(equipId, await this.#signalsOf(files.slice(0, MOST_ASKED)));
    return new SaclaError(
      "UNKNOWN_SIGNAL",
      `${this.name} have no signal ${equipId}; the nearest names are ${showList(near)}.`,
      { details: { equipId, near } },
    );
  }

  #run(bl: number, run: number): FolderRun {
    const key = `${bl} ${run}`;
    const parts = this.#parts.get(key);
    if (parts === undefined)
      throw new SaclaError("UNKNOWN_RUN", `${this.name} have no run ${run} of beamline ${bl}.`, {
        details: { bl, run },
      });
    const known = this.#runs.get(key) ?? new FolderRun(parts);
    this.#runs.set(key, known);
    return known;
  }

  /** Files with tags from `first` to `last`; all where none has, to say what they have. */
  #filesWith(first: number, last: number): readonly FolderFile[] {
    const found = this.#files.filter(({ parts }) => parts.some(({ tags }) => tags[0] <= last && tags[1] >= first));
    return found.length > 0 ? found : this.#files;
  }

  /**
   * What the archives that know it answer. @throws what the last one said when none does; with `equipId` the names near
   * it are those of all that were asked.
   */
  async #ask<T>(
    files: readonly FolderFile[],
    unknown:
      | "UNKNOWN_HIGHTAG"
      | "UNKNOWN_SIGNAL"
      | readonly ("UNKNOWN_HIGHTAG" | "UNKNOWN_SIGNAL" | "TAG_OUTSIDE_RUN")[],
    question: (source: DataSource) => T | Promise<T>,
    equipId?: string,
  ): Promise<T[]> {
    const answers: T[] = [];
    const failures: SaclaError[] = [];
    for (const file of files) {
      try {
        answers.push(await file.ask(question));
      } catch (error) {
        if (!isSaclaError(error, ...[unknown].flat())) throw error;
        failures.push(error);
      }
    }
    if (answers.length > 0) return answers;
    const isUnknown = failures.every(({ code }) => code === "UNKNOWN_SIGNAL");
    if (isUnknown && equipId !== undefined) {
      throw await this.#unknownSignal(equipId, files);
    }
    // Some file knows the signal: what it says tells more than that another does not.
    throw (
      failures.find(({ code }) => code !== "UNKNOWN_SIGNAL") ??
      failures[0] ??
      new SaclaError("INTERNAL", "A folder without archives was opened.")
    );
  }
}
