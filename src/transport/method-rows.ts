import * as v from "valibot";
import { defined } from "../core/options.ts";

/** What the parts of the method table share: schemas, and how a row is made. */
export const whole = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
export const beamline = whole(0, 1000);
/** Numbers of runs are no greater. */
export const MAX_RUN = 1_000_000_000;
export const run = whole(-MAX_RUN, MAX_RUN);
export const tag = whole(0, 0xffff_ffff);
export const text = v.pipe(v.string(), v.nonEmpty());
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
// Typed arrays over any buffer: v.instance would infer the ArrayBuffer-only type.
export const tags: v.GenericSchema<Uint32Array> = v.instance(Uint32Array);
export const doubles: v.GenericSchema<Float64Array> = v.instance(Float64Array);
export const bytes: v.GenericSchema<Uint8Array> = v.instance(Uint8Array);
const span = v.tuple([whole(0, 65_535), whole(1, 65_536)]);
export const roi = v.strictObject({ rows: span, columns: span });

/** The row of a method that changes nothing. */
export const reads = <P extends v.GenericSchema, R extends v.GenericSchema>(
  params: P,
  result: R,
  meaning: string,
  python: string | null = null,
  note?: string,
) => ({ params, result, changes: false, meaning, python, ...defined({ note }) }) as const;

/** The row of a method that no Python call is like. */
export const row = <P extends v.GenericSchema, R extends v.GenericSchema, C extends boolean>(
  params: P,
  result: R,
  changes: C,
  meaning: string,
  note?: string,
) => ({ params, result, changes, meaning, python: null, ...defined({ note }) });
