import type { ConvertPlan } from "./plan.ts";
import type { Section, Spool } from "./staging.ts";

/** What a section says of its shots. */
export interface BlockInfo {
  /** Shots asked for. */
  readonly asked: number;
  /** Tags that are in it, ascending. */
  readonly tags: readonly number[];
  readonly dropped: readonly (readonly [tag: number, reason: string])[];
  /** Images that are not there: number of the shot in {@link tags}, number of the item. */
  readonly absent: readonly (readonly [shot: number, item: number])[];
  /** Pixels that did not fit and were set to the lowest or highest value; those that are no number were set to 0. */
  readonly clipped: readonly [below: number, above: number, notNumbers: number];
}

/** Where the photon energy of a shot was taken from. */
export const energySources = ["spectrometer", "configuration", "assumed"] as const;

/** What the shots of a section end with, after their images: one number a shot each. */
export interface Trailer {
  /** Unix seconds. */
  readonly times: Float64Array;
  readonly energiesEv: Float64Array;
  /** Index into {@link energySources}. */
  readonly energySource: Uint8Array;
  readonly values: readonly Float64Array[];
  readonly statuses: readonly Uint8Array[];
}

/** The sections that hold shots, in order. */
export function blocksOf(spool: Spool): { section: Section; info: BlockInfo }[] {
  return spool.sections
    .filter(({ name }) => name === "shots")
    .map((section) => ({ section, info: section.info as BlockInfo }));
}

/** Reads what a section ends with. */
export async function readTrailer(
  plan: ConvertPlan,
  spool: Spool,
  { section, info }: { section: Section; info: BlockInfo },
): Promise<Trailer> {
  const trailer = newTrailer(info.tags.length, plan.signals.length);
  const parts = trailerParts(trailer);
  let at = section.to - parts.reduce((sum, part) => sum + part.length, 0);
  for (const part of parts) {
    await spool.read(at, part);
    at += part.length;
  }
  return trailer;
}

/** One signal of a section, without the others: number `index` of the plan's. */
export async function readTrailerColumn(
  plan: ConvertPlan,
  spool: Spool,
  { section, info }: { section: Section; info: BlockInfo },
  index: number,
): Promise<{ values: Float64Array; status: Uint8Array }> {
  const n = info.tags.length;
  const values = new Float64Array(n);
  const status = new Uint8Array(n);
  const fromEnd = (plan.signals.length - index) * 9 * n;
  await spool.read(section.to - fromEnd, bytesOf(values));
  await spool.read(section.to - fromEnd + 8 * n, status);
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

/** The bytes of a trailer, in the order in which they stand in the spool. */
export function trailerParts({ times, energiesEv, energySource, values, statuses }: Trailer): Uint8Array[] {
  return [
    bytesOf(times),
    bytesOf(energiesEv),
    energySource,
    ...values.flatMap((column, i) => [bytesOf(column), statuses[i] ?? new Uint8Array(0)]),
  ];
}

/** The memory of numbers as bytes. */
export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
