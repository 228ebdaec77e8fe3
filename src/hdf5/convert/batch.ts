import { bytesOf } from "../../core/bytes.ts";
import type { ConvertPlan } from "../write/plan.ts";
import type { Batch, Staging } from "./staging.ts";

/** What a batch notes of its shots. */
export interface ShotBatchInfo {
  /** Shots asked for. */
  readonly asked: number;
  /** Tags that are in it, ascending. */
  readonly tags: readonly number[];
  readonly dropped: readonly (readonly [tag: number, reason: string])[];
  /** Images that are missing: index of the shot in {@link tags}, index into the images of the plan. */
  readonly absent: readonly (readonly [shot: number, image: number])[];
  /** How many images were lost in the file that was read, by why; absent when none was. */
  readonly notes?: Readonly<Record<string, number>>;
  /** Pixels that did not fit and were set to the lowest or highest value; those that are no number were set to 0. */
  readonly clipped: readonly [below: number, above: number, notNumbers: number];
}

/** Where the photon energy of a shot was taken from. */
export const energySources = ["spectrometer", "configuration", "assumed"] as const;

/** What follows the images of a batch: lists with one number a shot. */
export interface Trailer {
  /** Unix seconds. */
  readonly times: Float64Array;
  readonly energiesEv: Float64Array;
  /** Index into {@link energySources}. */
  readonly energySource: Uint8Array;
  readonly values: readonly Float64Array[];
  readonly statuses: readonly Uint8Array[];
}

/** A batch of shots. */
interface ShotBatch {
  readonly batch: Batch;
  readonly info: ShotBatchInfo;
}

/** The batches that hold shots, in order. */
export function shotBatches(staging: Staging): ShotBatch[] {
  return staging.batches
    .filter(({ name }) => name === "shots")
    .map((batch) => ({ batch, info: batch.info as ShotBatchInfo }));
}

/** Reads what follows the images of a batch. */
export async function readTrailer(plan: ConvertPlan, staging: Staging, { batch, info }: ShotBatch): Promise<Trailer> {
  const trailer = newTrailer(info.tags.length, plan.signals.length);
  const parts = trailerParts(trailer);
  let at = batch.to - parts.reduce((sum, part) => sum + part.length, 0);
  for (const part of parts) {
    await staging.read(at, part);
    at += part.length;
  }
  return trailer;
}

/** One signal of a batch, without the others: number `index` of the plan's. */
export async function readTrailerColumn(
  plan: ConvertPlan,
  staging: Staging,
  { batch, info }: ShotBatch,
  index: number,
): Promise<{ values: Float64Array; status: Uint8Array }> {
  const n = info.tags.length;
  const values = new Float64Array(n);
  const status = new Uint8Array(n);
  const fromEnd = (plan.signals.length - index) * 9 * n;
  await staging.read(batch.to - fromEnd, bytesOf(values));
  await staging.read(batch.to - fromEnd + 8 * n, status);
  return { values, status };
}

function newTrailer(shots: number, signals: number): Trailer {
  const doubles = (): Float64Array => new Float64Array(shots);
  const bytes = (): Uint8Array => new Uint8Array(shots);
  return {
    times: doubles(),
    energiesEv: doubles(),
    energySource: bytes(),
    values: Array.from({ length: signals }, doubles),
    statuses: Array.from({ length: signals }, bytes),
  };
}

/** The bytes of a trailer, in the order in which they are in the data file. */
export function trailerParts({ times, energiesEv, energySource, values, statuses }: Trailer): Uint8Array[] {
  return [
    bytesOf(times),
    bytesOf(energiesEv),
    energySource,
    ...values.flatMap((column, i) => [bytesOf(column), statuses[i] ?? new Uint8Array(0)]),
  ];
}
