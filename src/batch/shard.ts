import { existsSync, renameSync } from "node:fs";
import { isSaclaError, SaclaError, toSaclaError } from "../core/errors.ts";
import { any, resolveOptions } from "../core/options.ts";
import { showTags, tagsWithout } from "../core/tag-ranges.ts";
import type { Db, Run } from "../db/index.ts";
import { FileOwner } from "../files/index.ts";
import { verifyContainer } from "../reduce/checkpoints/container.ts";
import {
  accumulate,
  type CheckpointAbout,
  Cube,
  checkpointHead,
  type Dark,
  heldTags,
  PartialResult,
  readCheckpoint,
  writeCheckpoint,
} from "../reduce/index.ts";
import type { St } from "../st/index.ts";
import { readDark } from "./dark-file.ts";
import { type BatchFolder, type Manifest, shardTags } from "./folder.ts";
import { lockstep, until } from "./lockstep.ts";
import { type Made, makeAccumulators } from "./make.ts";
import { checkFiles } from "./request-files.ts";
import type { MergedShards } from "./result.ts";

/** A run and what reads its images. */
export interface ReductionSource {
  readonly db: Db;
  readonly st: St;
  readonly run: Run;
}

export interface ShardOptions {
  /** Ends the work after the shot in hand; what is done is saved. */
  readonly stop: AbortSignal;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Is given a shard that has become whole, in place of its last checkpoint: for a merge in this process. */
  readonly onWhole?: ((shard: ShardInHand) => void) | undefined;
}

/** A whole shard that is in the memory of this process and in no checkpoint. */
export interface ShardInHand {
  readonly setting: ShardSetting;
  readonly work: MergedShards;
  /** Writes its checkpoint after all. @throws WRITE_FAILED */
  save(): Promise<void>;
}

/** What all shards of a reduction share: made once in each process. */
export interface ShardSetting {
  readonly made: Made;
  readonly about: CheckpointAbout;
  readonly dark: Dark | undefined;
}

/**
 * @throws FILE_NOT_FOUND, FILE_DAMAGED, BAD_ARGUMENT when the dark is gone, damaged or another one
 * @throws FILE_CHANGED when a file that the request names is another one than when the reduction was begun
 */
export async function shardSetting(folder: BatchFolder, manifest: Manifest, run: Run): Promise<ShardSetting> {
  const dark = manifest.dark === null ? undefined : await readDark(folder.darkPath, manifest.dark);
  checkFiles(manifest.files);
  const made = await makeAccumulators(manifest.request, run, manifest.sensors, dark, manifest.files);
  return settingOf(manifest, made, dark);
}

/** @param dark - that of the manifest */
export function settingOf(manifest: Manifest, made: Made, dark: Dark | undefined): ShardSetting {
  const { url, bl, hightag } = manifest;
  return {
    made,
    dark,
    about: { source: { url, bl, run: manifest.run, hightag }, dark, corrections: made.corrections },
  };
}

/** How far a shard is: by its checkpoint alone, since no scheduler's word can be relied on. */
export interface ShardState {
  readonly index: number;
  readonly state: "whole" | "begun" | "missing" | "damaged";
  readonly done: number;
  readonly total: number;
  /** For a damaged one. */
  readonly reason?: string;
}

/** @param verify - also read the whole file and compare its digest */
export function shardState(folder: BatchFolder, manifest: Manifest, index: number, verify: boolean): ShardState {
  const tags = shardTags(manifest, index);
  const { checkpoint } = folder.shard(index);
  const total = tags.length;
  if (!existsSync(checkpoint)) return { index, state: "missing", done: 0, total };
  try {
    if (verify) verifyContainer(checkpoint);
    const left = tagsWithout(tags, heldTags(checkpointHead(checkpoint)));
    return { index, state: left.length === 0 ? "whole" : "begun", done: total - left.length, total };
  } catch (error) {
    return { index, state: "damaged", done: 0, total, reason: toSaclaError(error).message };
  }
}

/** Seconds between two lines of progress in the log of a shard. */
const LOG_SECONDS = 5;
/** Writing states shall take no more than this part of the time. */
const WRITING = 1 / 20;

/**
 * Takes in the shots of a shard that are not in its checkpoint yet. The state is saved every few seconds, when `stop`
 * fires, and at the end, unless `onWhole` takes it.
 * @returns whether the shard is whole
 * @throws FILE_IN_USE when another living process works on it; what reading, reducing and writing throw
 */
export async function reduceShard(
  source: ReductionSource,
  folder: BatchFolder,
  manifest: Manifest,
  index: number,
  setting: ShardSetting,
  options: ShardOptions,
): Promise<boolean> {
  resolveOptions("reduceShard", options, { stop: any, onProgress: any, onWhole: any });
  const { log, claims } = folder.shard(index);
  const owner = await FileOwner.claim(claims);
  try {
    for (const sentence of owner.takenOver) folder.log(log, "taken-over", { sentence });
    const { done, total } = await new ShardWork(source, folder, manifest, index, setting, options).run();
    folder.log(log, done === total ? "whole" : "stopped", { done, total });
    return done === total;
  } catch (error) {
    const { code, message } = toSaclaError(error);
    logQuietly(() => folder.log(log, "failed", { code, message }));
    throw error;
  } finally {
    owner.close();
  }
}

/** On a full disk the error itself says more than that it could not be logged. */
function logQuietly(work: () => void): void {
  try {
    work();
  } catch {
    // The caller has the error.
  }
}

class ShardWork {
  readonly #source: ReductionSource;
  readonly #folder: BatchFolder;
  readonly #setting: ShardSetting;
  readonly #options: ShardOptions;
  readonly #manifest: Manifest;
  readonly #tags: Uint32Array;
  readonly #files: ReturnType<BatchFolder["shard"]>;
  #partial: PartialResult<Made["reducers"]>;
  #cubes: Readonly<Record<string, Cube>>;
  #logged = performance.now();

  constructor(
    source: ReductionSource,
    folder: BatchFolder,
    manifest: Manifest,
    index: number,
    setting: ShardSetting,
    options: ShardOptions,
  ) {
    this.#source = source;
    this.#folder = folder;
    this.#setting = setting;
    this.#options = options;
    this.#manifest = manifest;
    this.#tags = shardTags(manifest, index);
    this.#files = folder.shard(index);
    const { reducers, cubes } = setting.made;
    this.#partial = new PartialResult(reducers);
    this.#cubes = Object.fromEntries(Object.entries(cubes).map(([name, made]) => [name, new Cube(made)]));
  }

  async run(): Promise<{ readonly done: number; readonly total: number }> {
    const { stop, onWhole } = this.#options;
    const { checkpointSeconds } = this.#manifest;
    await this.#load();
    const total = this.#tags.length;
    let left = this.#left();
    this.#folder.log(this.#files.log, "begun", { done: total - left.length, total, ...jobOfHere() });
    let seconds = checkpointSeconds;
    let isSaved = existsSync(this.#files.checkpoint);
    while (left.length > 0 && !stop.aborted) {
      const before = left.length;
      const pause = AbortSignal.timeout(Math.ceil(1000 * seconds));
      await this.#takeIn(left, AbortSignal.any([stop, pause]));
      left = this.#left();
      // A source that answers nothing at all would be asked for ever.
      if (left.length === before && !stop.aborted && !pause.aborted)
        throw new SaclaError("INTERNAL", `The source neither gave nor dropped tag ${showTags(left)}.`);
      if (left.length === 0 && onWhole !== undefined) {
        onWhole({ setting: this.#setting, work: this.#work, save: async () => await this.#save() });
        break;
      }
      const began = performance.now();
      await this.#save();
      isSaved = true;
      seconds = Math.max(checkpointSeconds, (performance.now() - began) / 1000 / WRITING);
    }
    // A shard without shots has a checkpoint, too: it is whole.
    if (total === 0 && !isSaved) await this.#save();
    return { done: total - left.length, total };
  }

  /** Goes on from the checkpoint; one that is damaged, or was made otherwise, is put aside. */
  async #load(): Promise<void> {
    const { checkpoint, log } = this.#files;
    if (!existsSync(checkpoint)) return;
    try {
      const { made, about } = this.#setting;
      const found = await readCheckpoint(checkpoint, made, about);
      const strange = tagsWithout(heldTags(found.head), this.#tags);
      if (strange.length > 0)
        throw new SaclaError("BAD_ARGUMENT", `It holds tag ${showTags(strange)} of another shard.`);
      this.#partial = found.partial;
      this.#cubes = found.cubes;
    } catch (error) {
      if (!isSaclaError(error, "FILE_DAMAGED", "BAD_ARGUMENT", "UNSUPPORTED")) throw error;
      renameSync(checkpoint, `${checkpoint}.damaged`);
      this.#folder.log(log, "damaged", { message: error.message });
    }
  }

  #left(): Uint32Array {
    const { dropped } = this.#partial.ledger;
    const seen = Uint32Array.from([...this.#partial.tags, ...dropped.flatMap(({ tags }) => tags)]).sort();
    return tagsWithout(this.#tags, seen);
  }

  async #takeIn(tags: Uint32Array, end: AbortSignal): Promise<void> {
    const { run, st } = this.#source;
    const { made, dark } = this.#setting;
    const { sensors, request } = this.#manifest;
    const shots = until(st.shots({ run, detectors: sensors, signals: made.signals, tags }), end);
    const before = this.#tags.length - tags.length;
    const cubes = Object.entries(this.#cubes);
    const [own, ...others] = cubes.length === 0 ? [shots] : lockstep(shots, 1 + cubes.length);
    const passes = [
      accumulate(
        own ?? shots,
        made.reducers,
        { dark, corrections: made.corrections, onProgress: (done) => this.#progress(before + done) },
        this.#partial,
      ),
      ...cubes.map(async ([name, cube], k) => {
        const labels = request.cubes[name]?.labels === true ? made.labels : undefined;
        return await cube.update(others[k] ?? shots, { labels });
      }),
    ];
    const failed = (await Promise.allSettled<unknown>(passes)).find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }

  #progress(done: number): void {
    this.#options.onProgress?.(done, this.#tags.length);
    if (performance.now() - this.#logged < 1000 * LOG_SECONDS) return;
    this.#logged = performance.now();
    logQuietly(() => this.#folder.log(this.#files.log, "progress", { done, total: this.#tags.length }));
  }

  get #work(): ShardInHand["work"] {
    return { partial: this.#partial, cubes: this.#cubes };
  }

  async #save(): Promise<void> {
    await writeCheckpoint(this.#files.checkpoint, this.#work, this.#setting.about);
  }
}

/** What a scheduler calls this process. */
function jobOfHere(): Readonly<Record<string, string>> {
  const names = ["SLURM_JOB_ID", "SLURM_RESTART_COUNT", "SLURMD_NODENAME", "PBS_JOBID", "HOSTNAME"];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
