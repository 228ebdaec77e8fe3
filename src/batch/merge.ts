import { existsSync, renameSync } from "node:fs";
import { withClipped } from "../core/clipped.ts";
import { SaclaError, show } from "../core/errors.ts";
import { type Ledger, orderedLedger } from "../core/ledger.ts";
import { any, integer, optional, resolveOptions } from "../core/options.ts";
import { showTags } from "../core/tag-ranges.ts";
import { mergeCheckpoints, PartialResult } from "../reduce/index.ts";
import { type BatchFolder, type Manifest, shardTags } from "./folder.ts";
import { type MergedShards, writeResult } from "./result.ts";
import { type ReductionSource, type ShardInHand, type ShardState, shardSetting, shardState } from "./shard.ts";

export interface MergeOptions {
  /**
   * Does shards again, in any way: what counts are their checkpoints afterwards. Where the reduction is one shard, it
   * may be given as it is in memory: that saves the time and the memory of writing it and reading it back.
   */
  readonly redo: (shards: readonly number[]) => Promise<ShardInHand | undefined>;
  /** How often shards that are not whole are done again. @default 2 */
  readonly rounds?: number | undefined;
  readonly stop: AbortSignal;
}

/**
 * Makes the result file of the shards. Only a checkpoint that is whole and has its digest counts; the others are done
 * again. Many merges of one folder write the same file.
 * @throws INCOMPLETE naming the shards that could not be made whole, and why
 */
export async function mergeReduction(
  source: ReductionSource,
  folder: BatchFolder,
  manifest: Manifest,
  options: MergeOptions,
): Promise<MergedShards> {
  const { rounds } = resolveOptions("mergeReduction", options, {
    redo: any,
    rounds: optional(integer(1), 2),
    stop: any,
  });
  const { redo, stop } = options;
  const states = (): ShardState[] => manifest.shards.map((_, index) => shardState(folder, manifest, index, true));
  for (let round = 0; ; round++) {
    const open = states().filter(({ state }) => state !== "whole");
    if (open.length === 0) break;
    if (round === rounds || stop.aborted) throw incomplete(folder, manifest, open);
    for (const { index, state, reason } of open) {
      folder.log(folder.logPath, "to-do", { shard: index, state, reason });
      const { checkpoint } = folder.shard(index);
      if (state === "damaged" && existsSync(checkpoint)) renameSync(checkpoint, `${checkpoint}.damaged`);
    }
    const inHand = await redo(open.map(({ index }) => index));
    if (inHand !== undefined) return await resultInHand(source, folder, manifest, inHand, stop);
  }
  const { made, about } = await shardSetting(folder, manifest, source.run);
  const files = manifest.shards.map((_, index) => folder.shard(index).checkpoint);
  return await toResult(source, folder, manifest, await mergeCheckpoints(files, made, about), stop);
}

/** The result of a shard that is all there is; where it cannot be written, the shard is kept as its checkpoint. */
async function resultInHand(
  source: ReductionSource,
  folder: BatchFolder,
  manifest: Manifest,
  { setting, work, save }: ShardInHand,
  stop: AbortSignal,
): Promise<MergedShards> {
  const { sensors, ledger, tags } = work.partial;
  // Apart from the shard's account, which gets no notes of the whole.
  const partial = new PartialResult(setting.made.reducers, sensors, orderedLedger(ledger), tags);
  try {
    return await toResult(source, folder, manifest, { partial, cubes: work.cubes }, stop);
  } catch (error) {
    // The error says more than that the checkpoint could not be written either.
    await save().catch(() => {});
    throw error;
  }
}

async function toResult(
  source: ReductionSource,
  folder: BatchFolder,
  manifest: Manifest,
  merged: MergedShards,
  stop: AbortSignal,
): Promise<MergedShards> {
  merged.partial.account(await clippedNotes(source, manifest, merged.partial.tags, stop));
  const { ledger, summary } = await writeResult(manifest, merged);
  const { asked, used, dropped, notes = {} } = ledger;
  const counts = dropped.map(({ reason, tags }) => [reason, tags.length]);
  folder.log(folder.logPath, "merged", {
    out: manifest.out,
    asked,
    used,
    dropped: Object.fromEntries(counts),
    notes,
    summary,
  });
  return merged;
}

/** Notes of shots used at which a signal of a cube, or what is normalised by, is cut off; those of several add up. */
async function clippedNotes(
  { run }: ReductionSource,
  { request }: Manifest,
  tags: Uint32Array,
  signal: AbortSignal,
): Promise<Ledger> {
  const cubes = Object.values(request.cubes);
  const images = [...Object.values(request.reducers), ...cubes.flatMap(({ images = {} }) => Object.values(images))];
  const monitors = [...images, ...request.corrections].flatMap((each) =>
    each.kind === "normalised" || each.kind === "normalise" ? [each.equipId] : [],
  );
  const of = {
    i0: new Set([...monitors, ...cubes.flatMap(({ normaliseBy = [] }) => normaliseBy)]),
    signal: new Set(cubes.flatMap(({ signals = [] }) => signals)),
  };
  let notes: Ledger = { asked: 0, used: 0, dropped: [] };
  for (const [name, equipIds] of Object.entries(of)) {
    for (const equipId of equipIds) {
      const { values } = await run.column(equipId, tags, { signal });
      notes = withClipped(notes, tags, { [name]: values });
    }
  }
  return notes;
}

function incomplete(folder: BatchFolder, manifest: Manifest, open: readonly ShardState[]): SaclaError {
  const told = open.slice(0, 3).map(({ index, done, total }) => {
    const { log } = folder.shard(index);
    const last = folder.entries(log).findLast(({ event }) => event === "failed");
    const why = last === undefined ? "no reason is known" : String(last["message"]);
    return `shard ${index} (tags ${showTags(shardTags(manifest, index))}) has ${done} of ${total} shots: ${why}`;
  });
  const [first] = open;
  const more = open.length > told.length ? `; and ${open.length - told.length} more` : "";
  const file = first === undefined ? folder.path : folder.shard(first.index).log;
  return new SaclaError(
    "INCOMPLETE",
    `${open.length} of ${manifest.shards.length} shards are not whole: ${told.join("; ")}${more}. See ${show(file)}.`,
    { details: { folder: folder.path, shards: open.map(({ index }) => index) } },
  );
}
