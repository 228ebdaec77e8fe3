import { isSaclaError } from "../../core/errors.ts";
import { badPixelReasons } from "../../ip/index.ts";
import { absenceOf } from "./absence.ts";
import type { H5File } from "./h5file.ts";

/** Where a file says which pixels are bad: those that lack a bit of `good`, and those that have one of `bad`. */
export interface StackMask {
  readonly path: string;
  readonly good: number;
  readonly bad: number;
  /** The file itself says what the bits mean. */
  readonly isSaid?: true;
}

/** NXdetector pixel_mask: 0 is a good pixel. */
export const NEXUS_BITS = { good: 0, bad: 0xffff_ffff } as const;
/**
 * CXI (cxidb.org, format 1.6): invalid, saturated, hot, dead, shadowed, to be ignored, bad, missing, noisy, failed
 * correction. The others say what was done to a pixel, or where it lies.
 */
export const CXI_BITS = { good: 0, bad: 0x16df } as const;

/** The first of the paths that the file has, with what its bits mean. */
export function maskAt(
  file: H5File,
  bits: { readonly good: number; readonly bad: number },
  ...paths: readonly string[]
): StackMask | undefined {
  const path = paths.find((one) => file.hasNumbers(one));
  return path === undefined ? undefined : { path, ...bits };
}

/** The bad pixels of a sensor, or why its mask is not used. */
export type FoundMask = { readonly reasons: Uint8Array } | { readonly why: string };

/**
 * Bad pixels of a sensor.
 * @param length - pixels of the sensor
 * @param axes - axes of the array of images but that of the shots
 * @param read - fills the numbers of the sensor; the first axes of the mask that the images lack have one place
 */
export function readStackMask(
  file: H5File,
  mask: StackMask,
  length: number,
  axes: number,
  read: (surplus: number, out: Float32Array) => void,
): FoundMask {
  const shape = file.shape(mask.path) ?? [];
  const surplus = shape.length - axes;
  if (surplus < 0 || shape.slice(0, surplus).some((n) => n !== 1))
    return { why: `it has shape [${shape.join(", ")}], and is not one for all shots` };
  const numbers = new Float32Array(length);
  try {
    const absence = absenceOf(file, mask.path);
    if (absence !== undefined) return { why: absence.what };
    read(surplus, numbers);
  } catch (error) {
    if (!isSaclaError(error, "FILE_DAMAGED", "UNSUPPORTED", "NOT_DATACONVERT")) throw error;
    return { why: error.message.replace(/\.$/, "") };
  }
  const reasons = Uint8Array.from(numbers, (number) => reasonOf(number, mask));
  const bad = reasons.reduce((count, reason) => count + (reason === 0 ? 0 : 1), 0);
  // Some programs have 1 for good pixels.
  if (mask.isSaid !== true && bad > length / 2)
    return { why: `it says that ${bad} of ${length} pixels are bad, which may be the good ones` };
  return { reasons };
}

function reasonOf(number: number, { good, bad }: StackMask): number {
  const bits = number >>> 0;
  if ((bits & good) === good && (bits & bad) === 0) return 0;
  const known = Object.values(badPixelReasons).reduce((all, reason) => all | reason, 0);
  return (bad === NEXUS_BITS.bad ? bits & known : 0) || badPixelReasons.dead;
}
