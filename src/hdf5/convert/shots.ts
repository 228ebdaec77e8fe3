import type { CallOptions } from "../../core/async.ts";
import { SaclaError } from "../../core/errors.ts";
import { IMAGE_MISSING, IMAGE_THERE, imageStates } from "../../core/image-states.ts";
import type { RawImage } from "../../core/ndarray.ts";
import { type Column, syncStatus } from "../../core/syncdb.ts";
import { readImageStates } from "../../db/image-states.ts";
import type { ConvertPlan, ConvertSource } from "../write/plan.ts";

/** Shots whose 0-D values are asked for at a time. */
const VALUES_AT_ONCE = 10_000;
const NO_IMAGES: Readonly<Record<string, RawImage>> = {};

/** A shot to convert. */
export interface SourceShot {
  readonly tag: number;
  readonly images: Readonly<Record<string, RawImage>>;
  /** Why an image is absent, by sensor id. */
  readonly missing: Readonly<Record<string, string>>;
  /** The value of a signal, with its index into `syncStatus`. */
  entry(equipId: string): readonly [value: number, status: number];
}

/**
 * Shots of a conversion, in the order of `tags`: values are read in blocks, and a stream of images has only the shots
 * of which there is an image, where the source knows them.
 */
export async function* sourceShots(
  source: ConvertSource,
  plan: ConvertPlan,
  tags: Uint32Array,
  options: CallOptions,
): AsyncGenerator<SourceShot, void, undefined> {
  const { run, sensors, signals, spectrometer, request } = plan;
  const ids = sensors.map(({ id }) => id);
  // With "error" the first shot without an image ends it, in the words of the reader.
  const states = request.missing === "error" ? undefined : await readImageStates(run, ids, tags, options);
  const isThere = (i: number): boolean => states === undefined || states.some((of) => of[i] === IMAGE_THERE);
  const withImages = source.st
    .shots({
      run,
      tags: tags.filter((_, i) => isThere(i)),
      detectors: ids,
      missing: request.missing === "error" ? "error" : "partial",
      roi: request.roi ?? undefined,
      signal: options.signal,
    })
    [Symbol.asyncIterator]();
  const equipIds = [...new Set([...signals.map(({ id }) => id), ...(spectrometer === null ? [] : [spectrometer])])];
  try {
    for (let from = 0; from < tags.length; from += VALUES_AT_ONCE) {
      const block = tags.subarray(from, from + VALUES_AT_ONCE);
      const columns = await readColumns(plan, equipIds, block, options);
      for (const [row, tag] of block.entries()) {
        const entry: SourceShot["entry"] = (equipId) => entryOf(columns.get(equipId), row);
        if (!isThere(from + row)) {
          const why = (of: Uint8Array): string => imageStates[of[from + row] ?? IMAGE_MISSING] ?? "frame-missing";
          const missing = Object.fromEntries(ids.map((id, n) => [id, why(states?.[n] ?? new Uint8Array(0))]));
          yield { tag, images: NO_IMAGES, missing, entry };
          continue;
        }
        const next = await withImages.next();
        if (next.done === true || next.value.tag !== tag)
          throw new SaclaError("BAD_MESSAGE", `The source gave no shot for tag ${tag}, and ended.`);
        yield { tag, images: next.value.images, missing: next.value.missing ?? {}, entry };
      }
    }
  } finally {
    await withImages.return?.();
  }
}

async function readColumns(
  { run }: ConvertPlan,
  equipIds: string[],
  tags: Uint32Array,
  options: CallOptions,
): Promise<ReadonlyMap<string, Column>> {
  if (equipIds.length === 0) return new Map();
  const { columns } = await run.table(equipIds, tags, options);
  return new Map(columns.map((column, i) => [equipIds[i] ?? "", column]));
}

function entryOf(column: Column | undefined, row: number): readonly [value: number, status: number] {
  return [column?.values[row] ?? NaN, column?.status[row] ?? syncStatus.indexOf("missing")];
}
