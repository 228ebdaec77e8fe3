import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DetectorInfo } from "../../core/detector.ts";
import { isSaclaError, SaclaError, show, showList } from "../../core/errors.ts";
import type { Pixels } from "../../core/ndarray.ts";
import { nearestNames } from "../../core/nearest-names.ts";
import { type Column, emptyColumn, STATUS_MISSING } from "../../core/syncdb.ts";
import type { DataSource } from "../../source/data-source.ts";
import type { RunInfo } from "../../transport/methods.ts";
import type { ArchiveOptions } from "./dataconvert.ts";
import { openArchive } from "./open-archive.ts";

/**
 * All archives of a folder, not of folders in it, as one source of shots. Files that are no archives are left out, and
 * named in the source's name. Of two files with the same run the first by name has it. Files that come later are not
 * seen.
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
    names = (await readdir(folder)).filter((name) => /\.(h5|hdf5)$/i.test(name)).sort();
  } catch (cause) {
    throw new SaclaError("FILE_NOT_FOUND", `${show(folder)} is no folder that can be read.`, {
      details: { folder },
      cause,
    });
  }
  const archives: DataSource[] = [];
  const leftOut: string[] = [];
  try {
    for (const name of names) {
      try {
        archives.push(await openArchive(join(folder, name), options));
      } catch (error) {
        if (!isSaclaError(error, "NOT_HDF5", "NOT_DATACONVERT", "FILE_DAMAGED", "FILE_NOT_FOUND")) throw error;
        leftOut.push(name);
      }
    }
    if (archives.length === 0) {
      throw new SaclaError(
        "FILE_NOT_FOUND",
        `${show(folder)} has no file in the DataConvert layout; its .h5 files are ${showList(leftOut)}.`,
        {
          details: { folder, leftOut },
        },
      );
    }
    return new ArchiveFolder(folder, archives, leftOut);
  } catch (error) {
    for (const archive of archives) await archive.close();
    throw error;
  }
}

class ArchiveFolder implements DataSource {
  readonly name: string;
  readonly #archives: readonly DataSource[];
  readonly #beamlines: readonly number[];
  /** Which archive has a run, once it has been looked for: asked for every image. */
  readonly #homes = new Map<string, DataSource>();

  constructor(folder: string, archives: readonly DataSource[], leftOut: readonly string[]) {
    const without = leftOut.length === 0 ? "" : `, without ${showList(leftOut)}`;
    this.name = `the ${archives.length} archives in ${folder}${without}`;
    this.#archives = archives;
    this.#beamlines = [...new Set(archives.flatMap((archive) => archive.beamlines()))].sort((a, b) => a - b);
  }

  apiVersion(): string {
    return [...new Set(this.#archives.map((archive) => archive.apiVersion()))].join(", ");
  }

  beamlines(): readonly number[] {
    return this.#beamlines;
  }

  async runs(bl: number, last: number): Promise<readonly number[]> {
    const runs = new Set<number>();
    for (const archive of this.#archives) for (const run of await archive.runs(bl, last)) runs.add(run);
    return [...runs].sort((a, b) => a - b).slice(-last);
  }

  async runStatus(bl: number, run: number): Promise<number> {
    return (await this.#find(bl, run)) === undefined ? -1 : 0;
  }

  async runInfo(bl: number, run: number): Promise<RunInfo> {
    return await (await this.#archive(bl, run)).runInfo(bl, run);
  }

  async photonEnergyKev(bl: number, run: number): Promise<number> {
    return await (await this.#archive(bl, run)).photonEnergyKev(bl, run);
  }

  async detectors(bl: number, run: number): Promise<readonly string[]> {
    return await (await this.#archive(bl, run)).detectors(bl, run);
  }

  async tags(bl: number, run: number, detId?: string): Promise<Uint32Array> {
    return await (await this.#archive(bl, run)).tags(bl, run, detId);
  }

  async tagsBetween(bl: number, hightag: number, first: number, last: number): Promise<Uint32Array> {
    const parts = await this.#ask("UNKNOWN_HIGHTAG", (archive) => archive.tagsBetween(bl, hightag, first, last));
    return Uint32Array.from(new Set(parts.flatMap((tags) => [...tags]))).sort();
  }

  async newestTag(equipId: string): Promise<[hightag: number, tag: number]> {
    const newest = await this.#ask("UNKNOWN_SIGNAL", (archive) => archive.newestTag(equipId), equipId);
    return newest.reduce((a, b) => (b[0] > a[0] || (b[0] === a[0] && b[1] > a[1]) ? b : a));
  }

  async hightagAt(unixSeconds: number): Promise<number> {
    const [first] = this.#archives;
    if (first === undefined) throw new SaclaError("INTERNAL", "A folder without archives was opened.");
    return await first.hightagAt(unixSeconds);
  }

  async timestamp(hightag: number, tag: number, equipId: string): Promise<number> {
    const [time] = await this.#ask(
      ["UNKNOWN_SIGNAL", "UNKNOWN_HIGHTAG", "TAG_OUTSIDE_RUN"],
      (archive) => archive.timestamp(hightag, tag, equipId),
      equipId,
    );
    return time ?? NaN;
  }

  async equipment(): Promise<readonly string[]> {
    const ids = new Set<string>();
    for (const archive of this.#archives) for (const id of await archive.equipment()) ids.add(id);
    return [...ids].sort();
  }

  async column(equipId: string, hightag: number, tags: Uint32Array): Promise<Column> {
    const parts = await this.#ask(
      ["UNKNOWN_SIGNAL", "UNKNOWN_HIGHTAG"],
      (archive) => archive.column(equipId, hightag, tags),
      equipId,
    );
    const whole = emptyColumn(equipId, parts.find(({ unit }) => unit !== "")?.unit ?? "", tags.length);
    for (const { values, status } of parts) {
      for (let i = 0; i < tags.length; i++) {
        const found = status[i] ?? STATUS_MISSING;
        if (found === STATUS_MISSING || whole.status[i] !== STATUS_MISSING) continue;
        whole.values[i] = values[i] ?? NaN;
        whole.status[i] = found;
      }
    }
    return whole;
  }

  async detectorInfo(bl: number, run: number, detId: string): Promise<DetectorInfo> {
    return await (await this.#archive(bl, run)).detectorInfo(bl, run, detId);
  }

  async readFrame(bl: number, run: number, detId: string, tag: number, out: Pixels): Promise<boolean> {
    return await (await this.#archive(bl, run)).readFrame(bl, run, detId, tag, out);
  }

  async close(): Promise<void> {
    for (const archive of this.#archives) await archive.close();
  }

  async #find(bl: number, run: number): Promise<DataSource | undefined> {
    const key = `${bl} ${run}`;
    const known = this.#homes.get(key);
    if (known !== undefined) return known;
    for (const archive of this.#archives) {
      if ((await archive.runStatus(bl, run)) === -1) continue;
      this.#homes.set(key, archive);
      return archive;
    }
    return undefined;
  }

  async #archive(bl: number, run: number): Promise<DataSource> {
    const archive = await this.#find(bl, run);
    if (archive === undefined)
      throw new SaclaError("UNKNOWN_RUN", `${this.name} have no run ${run} of beamline ${bl}.`, {
        details: { bl, run },
      });
    return archive;
  }

  /**
   * What the archives that know it answer. @throws what the last one said when none does; with `equipId` the names near
   * it are those of all.
   */
  async #ask<T>(
    unknown:
      | "UNKNOWN_HIGHTAG"
      | "UNKNOWN_SIGNAL"
      | readonly ("UNKNOWN_HIGHTAG" | "UNKNOWN_SIGNAL" | "TAG_OUTSIDE_RUN")[],
    question: (archive: DataSource) => T | Promise<T>,
    equipId?: string,
  ): Promise<T[]> {
    const answers: T[] = [];
    const failures: SaclaError[] = [];
    for (const archive of this.#archives) {
      try {
        answers.push(await question(archive));
      } catch (error) {
        if (!isSaclaError(error, ...[unknown].flat())) throw error;
        failures.push(error);
      }
    }
    if (answers.length > 0) return answers;
    const isUnknown = failures.every(({ code }) => code === "UNKNOWN_SIGNAL");
    if (isUnknown && equipId !== undefined) {
      const near = nearestNames(equipId, await this.equipment());
      throw new SaclaError(
        "UNKNOWN_SIGNAL",
        `${this.name} have no signal ${equipId}; the nearest names are ${showList(near)}.`,
        {
          details: { equipId, near },
        },
      );
    }
    // Some file knows the signal: what it says tells more than that another does not.
    throw (
      failures.find(({ code }) => code !== "UNKNOWN_SIGNAL") ??
      failures[0] ??
      new SaclaError("INTERNAL", "A folder without archives was opened.")
    );
  }
}
