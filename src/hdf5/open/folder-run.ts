import type { DetectorInfo } from "../../core/detector.ts";
import { listDetectors } from "../../core/detectors.ts";
import { isSaclaError, SaclaError, show } from "../../core/errors.ts";
import { IMAGE_MISSING, IMAGE_THERE } from "../../core/image-states.ts";
import type { Pixels } from "../../core/ndarray.ts";
import type { CallResult, RunInfo } from "../../transport/methods.ts";
import type { FolderFile, RunPart } from "./folder-files.ts";

/** A run whose shots are in one file or in several of a folder; what is in two is taken from the first by name. */
export class FolderRun {
  readonly #bl: number;
  readonly #run: number;
  readonly #files: readonly [FolderFile, ...FolderFile[]];
  /** Where the image of a tag is, by detector. */
  readonly #homes = new Map<string, Promise<ReadonlyMap<number, FolderFile>>>();
  readonly #infos = new Map<string, Promise<DetectorInfo>>();

  /** @param parts - of one run, in the order of the names of their files */
  constructor([first, ...others]: readonly [RunPart, ...RunPart[]]) {
    this.#bl = first.bl;
    this.#run = first.run;
    this.#files = [first.file, ...others.map(({ file }) => file)];
  }

  async info(): Promise<RunInfo> {
    const all = await this.#askAll(async (file) => ({
      file,
      info: await file.ask((source) => source.runInfo(this.#bl, this.#run)),
      tags: new Set(await file.ask((source) => source.tags(this.#bl, this.#run))),
    }));
    const [first] = all;
    if (all.length === 1) return first.info;
    const start = Math.min(...all.map(({ info }) => info.start_tagnumber));
    const end = Math.max(...all.map(({ info }) => info.end_tagnumber));
    const notes = all.flatMap(({ file, info, tags }, i) => {
      const before = all.slice(0, i).find((other) => [...tags].some((tag) => other.tags.has(tag)));
      const twice =
        before === undefined
          ? []
          : [`${file.name} has shots that ${before.file.name} has too and are taken from there`];
      return [...(info.notes ?? []).map((note) => `${file.name}: ${note}`), ...twice];
    });
    const { notes: _, ...one } = first.info;
    return {
      ...one,
      starttime: Math.min(...all.map(({ info }) => info.starttime)),
      stoptime: Math.max(...all.map(({ info }) => info.stoptime)),
      start_tagnumber: start,
      end_tagnumber: end,
      total_tagnumber: end - start,
      comment: all.find(({ info }) => info.comment !== "")?.info.comment ?? "",
      ...(notes.length === 0 ? {} : { notes }),
    };
  }

  /** Configured photon energy of the first file that has one. */
  async photonEnergyKev(): Promise<number> {
    return (await this.#answers((file) => file.ask((source) => source.photonEnergyKev(this.#bl, this.#run))))[0];
  }

  async detectors(): Promise<readonly string[]> {
    const lists = await this.#askAll((file) => file.ask((source) => source.detectors(this.#bl, this.#run)));
    if (lists.length === 1) return lists[0];
    return listDetectors([...new Set(lists.flat())]);
  }

  async detectorsWithoutImages(): Promise<readonly string[]> {
    const present = new Set(await this.detectors());
    const lists = await this.#askAll((file) =>
      file.ask(async (source) => (await source.detectorsWithoutImages?.(this.#bl, this.#run)) ?? []),
    );
    return [...new Set(lists.flat())].filter((id) => !present.has(id));
  }

  async tags(detId?: string): Promise<Uint32Array> {
    const lists = await this.#askAll(async (file) => await this.#tagsIn(file, detId));
    return Uint32Array.from(new Set(lists.flatMap((tags) => [...tags]))).sort();
  }

  /** Pixels are uint16 only where they are so in every file. @throws FRAME_MISSING when no file has an image */
  async detectorInfo(detId: string): Promise<DetectorInfo> {
    let info = this.#infos.get(detId);
    if (info === undefined) {
      info = this.#detectorInfo(detId);
      this.#infos.set(detId, info);
      info.catch(() => this.#infos.delete(detId));
    }
    return await info;
  }

  async #detectorInfo(detId: string): Promise<DetectorInfo> {
    const infos = await this.#answers((file) => file.ask((source) => source.detectorInfo(this.#bl, this.#run, detId)));
    const [info] = infos;
    const { pixelType, ...others } = info;
    return infos.every((other) => other.pixelType === pixelType) ? info : others;
  }

  /** As of a data source, of the first of the files that have the detector. */
  async imageOffsets(detId: string, tags: Uint32Array): Promise<CallResult<"st.readImageOffsets">> {
    const [first] = await this.#answers((file) =>
      file.ask((source) => source.imageOffsets?.(this.#bl, this.#run, detId, tags)),
    );
    if (first !== undefined) return first;
    const { path } = this.#files[0];
    throw new SaclaError("UNSUPPORTED", `${show(path)} has no images that stand alone; ask st.frames.`);
  }

  /** As of a data source, by the rule of {@link readFrame}. */
  async imageStates(detId: string, tags: Uint32Array): Promise<Uint8Array> {
    const states = new Uint8Array(tags.length).fill(IMAGE_MISSING);
    for (const file of this.#files.toReversed()) {
      if (this.#files.length > 1 && (await this.#tagsIn(file, detId)).length === 0) continue;
      const known = new Set(await this.#tagsIn(file, undefined));
      const theirs = await file.ask((source) => source.imageStates?.(this.#bl, this.#run, detId, tags));
      if (theirs === undefined) throw new SaclaError("UNSUPPORTED", `${show(file.path)} does not know its images.`);
      for (const [i, state] of theirs.entries())
        if (known.has(tags[i] ?? NaN) && states[i] !== IMAGE_THERE) states[i] = state;
    }
    return states;
  }

  /** As of a data source: what is bad in any of the files that have the detector. */
  async badPixels(detId: string): Promise<CallResult<"st.readBadPixels">> {
    const answers = await this.#answers((file) => file.ask((source) => source.badPixels?.(this.#bl, this.#run, detId)));
    const [first, ...others] = answers.flatMap((found) => found ?? []);
    if (first === undefined) return null;
    const data = first.data.map((reason, i) => others.reduce((all, other) => all | (other.data[i] ?? 0), reason));
    return { shape: first.shape, data };
  }

  /** As of a data source. @throws FILE_DAMAGED when the image has another size than those of the first file */
  async readFrame(detId: string, tag: number, out: Pixels): Promise<boolean> {
    const [only] = this.#files;
    if (this.#files.length === 1)
      return await only.ask((source) => source.readFrame(this.#bl, this.#run, detId, tag, out));
    const home = (await this.#home(detId)).get(tag);
    if (home !== undefined) {
      const { xsize, ysize } = await home.ask((source) => source.detectorInfo(this.#bl, this.#run, detId));
      if (xsize * ysize !== out.length) {
        throw new SaclaError(
          "FILE_DAMAGED",
          `${detId} has images of ${ysize} × ${xsize} pixels in ${show(home.path)}, and others in the files before it.`,
          { details: { file: home.path, detId, tag } },
        );
      }
      return await home.ask((source) => source.readFrame(this.#bl, this.#run, detId, tag, out));
    }
    for (const file of this.#files) {
      // It has none, and may say why.
      const has = (await file.ask((source) => source.tags(this.#bl, this.#run))).includes(tag);
      if (has && (await this.#tagsIn(file, detId)).length > 0)
        return await file.ask((source) => source.readFrame(this.#bl, this.#run, detId, tag, out));
    }
    return false;
  }

  async #home(detId: string): Promise<ReadonlyMap<number, FolderFile>> {
    let home = this.#homes.get(detId);
    if (home === undefined) {
      home = this.#findHome(detId);
      this.#homes.set(detId, home);
      home.catch(() => this.#homes.delete(detId));
    }
    return await home;
  }

  async #findHome(detId: string): Promise<ReadonlyMap<number, FolderFile>> {
    const home = new Map<number, FolderFile>();
    for (const file of this.#files)
      for (const tag of await this.#tagsIn(file, detId)) if (!home.has(tag)) home.set(tag, file);
    return home;
  }

  /** None where the file does not know the detector. */
  async #tagsIn(file: FolderFile, detId: string | undefined): Promise<Uint32Array> {
    return await file.ask(async (source) => {
      if (detId === undefined) return await source.tags(this.#bl, this.#run);
      const known = await source.detectors(this.#bl, this.#run);
      return known.includes(detId) ? await source.tags(this.#bl, this.#run, detId) : new Uint32Array(0);
    });
  }

  async #askAll<T>(question: (file: FolderFile) => Promise<T>): Promise<[T, ...T[]]> {
    const [first, ...others] = this.#files;
    const answers: [T, ...T[]] = [await question(first)];
    for (const file of others) answers.push(await question(file));
    return answers;
  }

  /** What the files answer that have it. @throws what the first one said when none has */
  async #answers<T>(question: (file: FolderFile) => Promise<T>): Promise<[T, ...T[]]> {
    const answers: T[] = [];
    let said: unknown;
    for (const file of this.#files) {
      try {
        answers.push(await question(file));
      } catch (error) {
        if (!isSaclaError(error, "UNSUPPORTED", "FRAME_MISSING", "UNKNOWN_DETECTOR")) throw error;
        said ??= error;
      }
    }
    const [first, ...others] = answers;
    if (answers.length === 0) throw said;
    return [first as T, ...others];
  }
}
