import { SaclaError, show } from "../../core/errors.ts";
import { badArgument, isRecord } from "../../core/guards.ts";
import { type Ledger, orderedLedger } from "../../core/ledger.ts";
import { any, resolveOptions } from "../../core/options.ts";
import {
  ascendingOnce,
  commonTags,
  showTags,
  type TagRange,
  tagRanges,
  tagsOfRanges,
  tagsWithout,
} from "../../core/tag-ranges.ts";
import { packageManifest } from "../../files/index.ts";
import type { Correction } from "../corrections/correction.ts";
import { Cube, type CubeCheckpoint } from "../cube/cube.ts";
import type { CubeOptions } from "../cube/options.ts";
import { type DarkMeans, darkOf } from "../dark-means.ts";
import { type Checkpoint, PartialResult } from "../engine/partial-result.ts";
import type { Reducer } from "../reducer.ts";
import { readContainer, readHead, writeContainer } from "./container.ts";
import { digestOf } from "./digest.ts";

type Reducers = Record<string, Reducer<unknown>>;

/** Where the shots of a checkpoint come from. */
export interface CheckpointSource {
  readonly bl: number;
  /** Run number. */
  readonly run: number;
  readonly hightag: number;
  /** What the facility was opened with; two parts may have been read through different addresses. */
  readonly url?: string | undefined;
}

/** What was done to the images, and whose they are: the very options that `accumulate` was given. */
export interface CheckpointAbout {
  readonly source: CheckpointSource;
  readonly dark?: { readonly mean: DarkMeans } | undefined;
  readonly corrections?: readonly Correction[] | undefined;
}

/** What is known of a checkpoint file without its arrays. */
export interface CheckpointHead {
  readonly kind: "reduction";
  readonly software: { readonly name: "sacla"; readonly version: string };
  readonly source: CheckpointSource;
  /** By name, with all settings. */
  readonly reducers: Readonly<Record<string, string>>;
  readonly cubes: readonly string[];
  /** Digest of the dark means, null without a dark. */
  readonly dark: string | null;
  /** In their order. */
  readonly corrections: readonly { readonly name: string; readonly digest: string }[];
  /** Tags of the shots that were used. */
  readonly tags: readonly TagRange[];
  /** Tags of the others that were looked at. */
  readonly dropped: readonly { readonly reason: string; readonly tags: readonly TagRange[] }[];
}

/** Reducers and cubes that have taken in the same shots. */
export interface Accumulated<R extends Reducers = Reducers> {
  readonly partial: PartialResult<R>;
  readonly cubes?: Readonly<Record<string, Cube>> | undefined;
}

/** The reducers, and what each cube was made of, to load a file with. */
export interface Accumulators<R extends Reducers = Reducers> {
  readonly reducers: R;
  readonly cubes?: Readonly<Record<string, CubeOptions>> | undefined;
}

/**
 * Saves accumulated shots in one file, compressed, with a digest, whole or not at all. Of the dark and the corrections
 * it holds digests: {@link readCheckpoint} needs them again, and refuses others.
 * @throws WRITE_FAILED @throws BAD_ARGUMENT when a correction of your own has no `settings`
 * @example
 * const partial = await accumulate(shots, { average: mean() }, { dark });
 * await writeCheckpoint("part-3.sacla", { partial }, { source: { bl: 3, run: 1520000, hightag: 202302 }, dark });
 */
export async function writeCheckpoint(
  path: string,
  work: Accumulated,
  about: CheckpointAbout,
): Promise<CheckpointHead> {
  const { partial, cubes = {} } = work;
  const saved = partial.checkpoint();
  const head: CheckpointHead = {
    kind: "reduction",
    software: { name: "sacla", version: packageManifest().version },
    ...expectations(about),
    reducers: saved.reducers,
    cubes: Object.keys(cubes),
    tags: tagRanges(partial.tags),
    dropped: droppedRanges(saved.ledger),
  };
  const entries = Object.entries(cubes).map(([name, cube]) => {
    const { ledger, bins, ...rest } = cube.checkpoint();
    const slim = bins.map((bin) => ({ ...bin, images: withoutDark(bin.images) }));
    return [name, { ...rest, bins: slim, ledger: packLedger(ledger) }] as const;
  });
  await writeContainer(path, head, { partial: withoutDark(saved), cubes: Object.fromEntries(entries) });
  return head;
}

/**
 * What a checkpoint file holds, without reading its arrays; whether the file is whole is not looked at.
 * @throws FILE_NOT_FOUND @throws FILE_DAMAGED @throws UNSUPPORTED for a later version of the form
 */
export function checkpointHead(path: string): CheckpointHead {
  return asHead(path, readHead(path));
}

/**
 * Accumulated shots from a file: go on with `accumulate(…, partial)` and `cube.update(…)`.
 * @throws FILE_NOT_FOUND @throws FILE_DAMAGED when it is not whole @throws UNSUPPORTED for a later version of the form
 * @throws BAD_ARGUMENT when it is of another run, or made with other reducers, cubes, corrections or another dark
 */
export async function readCheckpoint<R extends Reducers>(
  path: string,
  accumulators: Accumulators<R>,
  about: CheckpointAbout,
): Promise<{
  readonly head: CheckpointHead;
  readonly partial: PartialResult<R>;
  readonly cubes: Readonly<Record<string, Cube>>;
}> {
  return await readExpected(path, accumulators, about, expectations(about));
}

async function readExpected<R extends Reducers>(
  path: string,
  { reducers, cubes = {} }: Accumulators<R>,
  { dark }: CheckpointAbout,
  expected: ReturnType<typeof expectations>,
) {
  const { head: first, content } = await readContainer(path);
  const head = asHead(path, first);
  checkHead(path, head, expected);
  // Written by writeCheckpoint, and whole: its digest is right.
  const saved = content as {
    readonly partial: PackedCheckpoint;
    readonly cubes: Record<string, Omit<CubeCheckpoint, "ledger" | "bins"> & { ledger: PackedLedger; bins: SlimBin[] }>;
  };
  const missing = Object.keys(cubes).filter((name) => saved.cubes[name] === undefined);
  if (missing.length > 0 || Object.keys(saved.cubes).length > Object.keys(cubes).length)
    throw badArgument(`cubes of ${path}`, head.cubes, `those of here: ${Object.keys(cubes).join(", ") || "none"}`);
  const loaded = Object.entries(cubes).map(([name, options]) => {
    const { ledger, bins, ...rest } = saved.cubes[name] ?? fail(path);
    const whole = bins.map((bin) => ({ ...bin, images: withDark(bin.images, dark) }));
    return [name, Cube.load(options, { ...rest, bins: whole, ledger: unpackLedger(ledger) })] as const;
  });
  const partial = PartialResult.adopt(reducers, withDark(saved.partial, dark));
  return { head, partial, cubes: Object.fromEntries(loaded) };
}

/**
 * One result of several files, in any order the same bits. `expected` are the tags that the files should hold between
 * them; the answer says which are missing.
 * @throws BAD_ARGUMENT when a tag is in two files, naming both; and as {@link readCheckpoint}
 * @example
 * const { partial, missing } = await mergeCheckpoints(files, { reducers }, { source, dark, expected: tags });
 * if (missing.length === 0) console.log(resultsOf(partial).average);
 */
export async function mergeCheckpoints<R extends Reducers>(
  paths: readonly string[],
  accumulators: Accumulators<R>,
  options: CheckpointAbout & { readonly expected?: Iterable<number> | undefined },
): Promise<{
  readonly partial: PartialResult<R>;
  readonly cubes: Readonly<Record<string, Cube>>;
  readonly missing: Uint32Array;
}> {
  const { expected, ...about } = resolveOptions("mergeCheckpoints", options, {
    source: any,
    dark: any,
    corrections: any,
    expected: any,
  });
  const { reducers, cubes: cubeOptions = {} } = accumulators;
  // The first part becomes the total: to add it to zeros would take the memory of all states once more.
  let merged: { partial: PartialResult<R>; cubes: Readonly<Record<string, Cube>> } | undefined;
  const wanted = expectations(about);
  const held: { readonly path: string; readonly tags: Uint32Array }[] = [];
  for (const path of paths) {
    const part = await readExpected(path, accumulators, about, wanted);
    const tags = heldTags(part.head);
    for (const other of held) {
      const common = commonTags(tags, other.tags);
      if (common.length > 0)
        throw new SaclaError(
          "BAD_ARGUMENT",
          `${show(path)} and ${show(other.path)} both hold tag ${showTags(common)}: each shot counts once. ` +
            "Leave one of the files out.",
          { details: { files: [path, other.path], first: common[0] } },
        );
    }
    held.push({ path, tags });
    merged?.partial.merge(part.partial);
    for (const [name, cube] of Object.entries(merged?.cubes ?? {})) cube.merge(part.cubes[name] ?? fail(path));
    merged ??= part;
  }
  const { partial, cubes } = merged ?? {
    partial: new PartialResult(reducers),
    cubes: Object.fromEntries(Object.entries(cubeOptions).map(([name, made]) => [name, new Cube(made)])),
  };
  const all = ascendingOnce(Uint32Array.from(held.flatMap(({ tags }) => [...tags])));
  return {
    partial: new PartialResult(reducers, partial.sensors, orderedLedger(partial.ledger), partial.tags),
    cubes,
    missing: tagsWithout(ascendingOnce(Uint32Array.from(expected ?? [])), all),
  };
}

/** Tags of all shots that a checkpoint has used or dropped: none of them needs to be looked at again. */
export function heldTags({ tags, dropped }: Pick<CheckpointHead, "tags" | "dropped">): Uint32Array {
  return tagsOfRanges([...tags, ...dropped.flatMap((each) => each.tags)]);
}

const darkDigests = new WeakMap<DarkMeans, string>();

/** @internal For dark means that are not changed afterwards: their digest is then not computed again, which is slow. */
export function rememberDarkDigest(mean: DarkMeans, digest: string): void {
  darkDigests.set(mean, digest);
}

function expectations({ source, dark, corrections = [] }: CheckpointAbout) {
  const without = corrections.find(({ settings }) => settings === undefined);
  if (without !== undefined)
    throw badArgument(
      `settings of the correction ${without.name}`,
      undefined,
      "everything that changes what it does: by it, parts that were corrected otherwise are told apart",
    );
  return {
    source,
    dark: dark === undefined ? null : (darkDigests.get(dark.mean) ?? digestOf(dark.mean)),
    corrections: corrections.map(({ name, settings }) => ({ name, digest: digestOf(settings) })),
  };
}

/** @throws BAD_ARGUMENT when a checkpoint is of another run, or made with another dark or other corrections */
function checkHead(path: string, head: CheckpointHead, { source, dark, corrections }: ReturnType<typeof expectations>) {
  const named = ({ bl, run, hightag }: CheckpointSource): string => `run ${run} of beamline ${bl} (HighTag ${hightag})`;
  const refuse = (what: string, found: string, here: string): SaclaError =>
    new SaclaError("BAD_ARGUMENT", `The checkpoint ${show(path)} has another ${what}: ${found}; here ${here}.`, {
      details: { path },
    });
  if (named(head.source) !== named(source)) throw refuse("source", named(head.source), named(source));
  if (head.dark !== dark) throw refuse("dark", head.dark ?? "none", dark ?? "none");
  const listed = (list: CheckpointHead["corrections"]): string =>
    list.map(({ name, digest }) => `${name} ${digest}`).join(", ") || "none";
  if (listed(head.corrections) !== listed(corrections))
    throw refuse("chain of corrections", listed(head.corrections), listed(corrections));
}

function asHead(path: string, head: unknown): CheckpointHead {
  if (isRecord(head) && head["kind"] === "reduction") return head as unknown as CheckpointHead;
  throw badArgument(`kind of ${path}`, isRecord(head) ? head["kind"] : head, '"reduction"');
}

/** A ledger whose tags are an array. */
interface PackedLedger extends Omit<Ledger, "dropped"> {
  readonly dropped: readonly { readonly reason: string; readonly tags: Uint32Array }[];
}

/** A checkpoint without its darks, which the head names. */
interface PackedCheckpoint extends Omit<Checkpoint, "lanes" | "ledger"> {
  readonly lanes: readonly (Omit<Checkpoint["lanes"][number], "dark"> & { readonly hasDark: boolean })[];
  readonly ledger: PackedLedger;
}

type SlimBin = Omit<CubeCheckpoint["bins"][number], "images"> & { readonly images: PackedCheckpoint };

function withoutDark({ lanes, ledger, ...rest }: Checkpoint): PackedCheckpoint {
  const slim = lanes.map(({ dark, ...lane }) => ({ ...lane, hasDark: dark !== undefined }));
  return { ...rest, lanes: slim, ledger: packLedger(ledger) };
}

function withDark({ lanes, ledger, ...rest }: PackedCheckpoint, dark: CheckpointAbout["dark"]): Checkpoint {
  const whole = lanes.map(({ hasDark, ...lane }) => {
    const { detId, rows, columns } = lane.frame;
    return hasDark ? { ...lane, dark: darkOf(dark?.mean ?? {}, detId, rows, columns) } : lane;
  });
  return { ...rest, lanes: whole, ledger: unpackLedger(ledger) };
}

function packLedger({ dropped, ...rest }: Ledger): PackedLedger {
  return { ...rest, dropped: dropped.map(({ reason, tags }) => ({ reason, tags: Uint32Array.from(tags) })) };
}

function unpackLedger({ dropped, ...rest }: PackedLedger): Ledger {
  return { ...rest, dropped: dropped.map(({ reason, tags }) => ({ reason, tags: [...tags] })) };
}

function droppedRanges({ dropped }: Ledger): CheckpointHead["dropped"] {
  return dropped.map(({ reason, tags }) => ({ reason, tags: tagRanges(ascendingOnce(Uint32Array.from(tags))) }));
}

function fail(path: string): never {
  throw new SaclaError("INTERNAL", `${show(path)} lacks a cube that it says to have.`);
}
