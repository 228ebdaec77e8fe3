import { resolve } from "node:path";
import { throwIfAborted } from "../core/async.ts";
import { Detectors } from "../core/detectors.ts";
import { isSaclaError, SaclaError, show } from "../core/errors.ts";
import { asText, badArgument } from "../core/guards.ts";
import { type Dropped, droppedBecause, orderedLedger } from "../core/ledger.ts";
import { any, finite, integer, optional, resolveOptions } from "../core/options.ts";
import { tagRanges } from "../core/tag-ranges.ts";
import type { TagList } from "../core/tags.ts";
import { parseCondition, type Run, type RunTags } from "../db/index.ts";
import { makeFolder, packageManifest } from "../files/index.ts";
import { darkMean } from "../reduce/dark-average.ts";
import { accumulate, type Dark, darkAverage, filterShots } from "../reduce/index.ts";
import { writeDark } from "./dark-file.ts";
import { BatchFolder, type Manifest } from "./folder.ts";
import { type Made, makeAccumulators } from "./make.ts";
import { type CheckedRequest, checkReductionRequest, requestDigest } from "./request.ts";
import { checkFiles, requestFiles } from "./request-files.ts";
import { type ReductionSource, type ShardSetting, settingOf } from "./shard.ts";

/** How many shards the shots are cut into. */
export type ShardSize =
  | { readonly shards: number }
  /** So many minutes of work each, as a short trial says. */
  | { readonly minutes: number };

export interface PlanOptions {
  /** What the facility was opened with: jobs open it by this again. */
  readonly url: string;
  /** The result file. */
  readonly out: string;
  readonly size: ShardSize;
  /** Seconds from one saved state of a shard to the next. @default 30 */
  readonly checkpointSeconds?: number | undefined;
  /** More shards than that are not made. @default 10000 */
  readonly most?: number | undefined;
  /** Where manifest, dark and shards go. @default beside the result file */
  readonly folder?: BatchFolder | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((step: "dark" | "trial", done: number, total: number | undefined) => void) | undefined;
}

export interface PlannedReduction {
  readonly folder: BatchFolder;
  readonly manifest: Manifest;
  /** Whether it was begun before. */
  readonly isOld: boolean;
  /** Of one that is new: for shards in this process, which need not read the dark back. */
  readonly setting?: ShardSetting | undefined;
}

/** Shots of the trial by which shards are sized; the first ones also pay for what is done once. */
const TRIAL_SHOTS = 24;
const TRIAL_FIRST = 8;
const MOST_SHARDS = 10_000;
const CHECKPOINT_SECONDS = 30;

/**
 * Chooses the shots, makes the dark, cuts the shots into shards, and writes the manifest. One that is there already for
 * the same request is used as it is: the work goes on.
 * @throws FILE_EXISTS when the folder is that of another reduction
 * @throws FILE_CHANGED when a file that the request names was changed since the reduction was begun
 * @throws BAD_ARGUMENT for a request that does not fit the run @throws NO_SHOTS @throws NO_DARK @throws WRITE_FAILED
 */
export async function planReduction(
  source: ReductionSource,
  asked: unknown,
  options: PlanOptions,
): Promise<PlannedReduction> {
  const { checkpointSeconds, most } = resolveOptions("planReduction", options, {
    url: asText,
    out: asText,
    size: any,
    checkpointSeconds: optional(finite(Number.MIN_VALUE, 86_400), CHECKPOINT_SECONDS),
    most: optional(integer(1), MOST_SHARDS),
    folder: any,
    signal: any,
    onProgress: any,
  });
  const request = checkReductionRequest(asked);
  const out = resolve(options.out);
  const { folder = BatchFolder.of(out) } = options;
  if (folder.hasManifest) return { folder, manifest: sameManifest(folder, source.run, request), isOld: true };
  makeFolder(folder.path);
  const { run } = source;
  const files = requestFiles(request);
  const sensors = await sensorsOf(run, request);
  const { tags, leftOut } = await selectShots(run, request);
  const needsNoise = JSON.stringify(request).includes('"noiseAdu":"dark"');
  const dark = await makeDark(source, request, sensors, needsNoise, options);
  if (needsNoise && dark === undefined) throw badArgument("noiseAdu", "dark", "a number: the request has no dark");
  // Tried before the manifest is written: a reducer that refuses its options ends it here.
  const made = await makeAccumulators(request, run, sensors, dark, files);
  const count =
    "shards" in options.size
      ? options.size.shards
      : await learnShards(source, made, { sensors, dark, tags }, options.size.minutes, options);
  const pieces = tags.split(Math.max(1, Math.min(count, tags.length, most)));
  const manifest: Manifest = {
    kind: "sacla reduction",
    version: 1,
    software: packageManifest().version,
    url: options.url,
    bl: run.bl,
    run: run.number,
    hightag: run.hightag,
    startTime: run.startTime.getTime() / 1000,
    out,
    request,
    requestDigest: requestDigest(request),
    files,
    sensors,
    checkpointSeconds,
    dark: dark === undefined ? null : await writeDark(folder.darkPath, dark),
    leftOut: leftOut.map(({ reason, tags: some }) => ({ reason, tags: tagRanges(Uint32Array.from(some)) })),
    shards: pieces.map(({ values }) => tagRanges(values)),
  };
  try {
    folder.writeManifest(manifest);
  } catch (error) {
    if (!isSaclaError(error, "FILE_EXISTS")) throw error;
    return { folder, manifest: sameManifest(folder, run, request), isOld: true };
  }
  // Several pieces are merged from their files: the dark would lie in memory beside that of the merge.
  const setting = pieces.length === 1 ? settingOf(manifest, made, dark) : undefined;
  return { folder, manifest, isOld: false, setting };
}

function sameManifest(folder: BatchFolder, run: Run, request: CheckedRequest): Manifest {
  const found = folder.manifest();
  const { version } = packageManifest();
  const other =
    found.bl !== run.bl || found.run !== run.number
      ? `run ${found.run} of beamline ${found.bl}`
      : found.requestDigest !== requestDigest(request)
        ? "another request"
        : found.software !== version
          ? `sacla ${found.software}; this is ${version}`
          : undefined;
  if (other === undefined) {
    checkFiles(found.files);
    return found;
  }
  throw new SaclaError(
    "FILE_EXISTS",
    `${show(folder.path)} holds a reduction that was begun with ${other}. ` +
      "Give --restart to begin anew, or another name for the result.",
    { details: { path: folder.path } },
  );
}

async function sensorsOf(run: Run, { detectors }: CheckedRequest): Promise<string[]> {
  const all = Detectors.of(await run.detectors(), `Run ${run.number} of beamline ${run.bl}`);
  const groups =
    detectors === undefined ? [all.findOrLargest(undefined)] : detectors.map((id) => all.findOrLargest(id));
  return [...new Set(groups.flatMap(({ sensors }) => sensors))];
}

/** The shots of the request, and those of the run that are left out, with the reason. */
async function selectShots(
  run: Run,
  { shots, where, limit }: CheckedRequest,
): Promise<{ readonly tags: TagList; readonly leftOut: readonly Dropped[] }> {
  const [chosen, before] = await baseShots(run, shots);
  const conditions = where.map((text) => {
    const { equipId, holds } = parseCondition(text);
    return { equipId, where: holds };
  });
  const tags = conditions.length === 0 ? chosen : await filterShots(chosen, conditions);
  const later = tags === chosen ? [] : (tags.ledger?.dropped ?? []);
  const known = new Set(before.flatMap((each) => each.tags));
  const added = later.map(({ reason, tags: some }) => ({ reason, tags: some.filter((tag) => !known.has(tag)) }));
  const dropped = [...before, ...added].filter((each) => each.tags.length > 0);
  if (tags.length === 0)
    throw new SaclaError(
      "NO_SHOTS",
      `None of the shots of run ${run.number} of beamline ${run.bl} is left to reduce${droppedBecause(dropped)}.`,
      {
        details: { dropped: dropped.map(({ reason, tags: some }) => [reason, some.length]) },
      },
    );
  return { tags: tags.slice(0, limit), leftOut: orderedLedger({ asked: 0, used: 0, dropped }).dropped };
}

async function baseShots(run: Run, shots: CheckedRequest["shots"]): Promise<[RunTags, readonly Dropped[]]> {
  if (shots === "all") return [await run.tags(), []];
  if (shots === "exposed" || shots === "dark") {
    const tags = shots === "dark" ? await run.darkTags() : await run.exposedTags();
    return [tags, tags.ledger?.dropped ?? []];
  }
  const labels = await run.labels();
  const others = (["dark", "on", "off"] as const).filter((label) => label !== shots);
  return [labels[shots], [...others.map((label) => ({ reason: label, tags: [...labels[label]] })), ...labels.dropped]];
}

/** The dark of the request: made once, for all shards. Without the noise where nothing asks for it. */
async function makeDark(
  { db, st, run }: ReductionSource,
  { dark }: CheckedRequest,
  sensors: readonly string[],
  withNoise: boolean,
  { signal, onProgress }: PlanOptions,
): Promise<Dark | undefined> {
  if (dark === "none") return undefined;
  const darkRun = dark === "head" ? run : await db.run(run.bl, dark);
  const tags = await darkRun.darkTags();
  if (tags.length === 0)
    throw new SaclaError(
      "NO_DARK",
      `Run ${darkRun.number} of beamline ${darkRun.bl} has no dark shots at its head. ` +
        'Name a dark run in the request ("dark": 1520000), or "dark": "none".',
    );
  const shots = st.shots({ run: darkRun, detectors: sensors, tags, signal });
  const options = { onProgress: (done: number, total?: number) => onProgress?.("dark", done, total) };
  return withNoise ? await darkAverage(shots, options) : { ...(await darkMean(shots, options)), noise: {} };
}

/** How many shards of so many minutes there are, from the time that a few shots take. */
async function learnShards(
  { st, run }: ReductionSource,
  made: Made,
  known: { readonly sensors: readonly string[]; readonly dark: Dark | undefined; readonly tags: TagList },
  minutes: number,
  { signal, onProgress }: PlanOptions,
): Promise<number> {
  const { sensors, dark, tags } = known;
  const some = tags.slice(0, TRIAL_SHOTS);
  const shots = st.shots({ run, detectors: sensors, signals: made.signals, tags: some, signal });
  let [first, last, shotsBetween] = [performance.now(), NaN, 0];
  const cubes = Object.keys(made.cubes).length;
  await accumulate(shots, made.reducers, {
    dark,
    corrections: made.corrections,
    onProgress: (done) => {
      if (done <= Math.min(TRIAL_FIRST, some.length - 1)) first = performance.now();
      else shotsBetween++;
      last = performance.now();
      onProgress?.("trial", done, some.length);
    },
  });
  throwIfAborted(signal);
  const secondsPerShot = shotsBetween === 0 ? 1 : (last - first) / 1000 / shotsBetween;
  // A cube takes about as long as the reducers: it was not tried, since it takes its own time to begin.
  return Math.ceil((tags.length * secondsPerShot * (1 + cubes)) / (60 * minutes));
}
