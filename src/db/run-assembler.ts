import type { CallOptions } from "../core/async.ts";
import type { DetectorInfo } from "../core/detector.ts";
import { isSaclaError } from "../core/errors.ts";
import { asImage, type NdArray } from "../core/ndarray.ts";
import { badPixels } from "../ip/index.ts";
import { isCut } from "../ip/masks.ts";
import type { CallResult } from "../transport/methods.ts";

/** What tells the bad pixels of the CITIUS sensors of a run: a `CtrlBuffer` of `st.ctdapyXfel`. */
export interface BadPixelReader {
  readDetidlist(options: CallOptions): Promise<string[]>;
  /** Shape [sensors, ysize, xsize]. */
  readBadpixelMasks(options: CallOptions): Promise<NdArray<Uint8Array>>;
}

/** What is asked for bad pixels that are not known by themselves. */
export interface BadPixelSources {
  /** Those that the facility has recorded of CITIUS sensors. */
  readonly citius: () => Promise<BadPixelReader>;
  /** Those that a file names; null for none. */
  readonly named: (detId: string) => Promise<CallResult<"st.readBadPixels">>;
}

/**
 * The sensors that can be in one picture, and the ids of the others: those without a place, and without a gain where
 * others have one.
 * @param relativeGain - as of an `Assembler`; false: a sensor without a gain is in the picture too
 */
export function placedSensors(
  infos: readonly DetectorInfo[],
  relativeGain = true,
): {
  readonly sensors: readonly DetectorInfo[];
  readonly unplaced: readonly string[];
} {
  const placed = infos.filter(({ geometry }) => geometry !== null);
  const scaled = placed.filter(({ absGain }) => absGain !== null && absGain > 0);
  const sensors = relativeGain && scaled.length > 0 ? scaled : placed;
  return { sensors, unplaced: infos.filter((info) => !sensors.includes(info)).map(({ id }) => id) };
}

/**
 * The reason against each pixel of each sensor: edges, dead ports, bad pixels; 0 is a good one. Of cut images none is
 * known but what their file names.
 */
export async function knownBadPixels(
  infos: readonly DetectorInfo[],
  run: { readonly bl: number; readonly number: number },
  { citius, named }: BadPixelSources,
  options: CallOptions,
): Promise<NdArray<Uint8Array>[]> {
  const isCitius = infos.some(({ id }) => id.startsWith("CITIUS"));
  const recorded = isCitius ? await citiusBadPixels(await citius(), options) : undefined;
  const byFile = await namedBadPixels(infos, named);
  return infos.map((info) => {
    const { id, ysize, xsize } = info;
    const mask = isCut(info)
      ? asImage(new Uint8Array(ysize * xsize), ysize, xsize)
      : (recorded?.get(id) ?? badPixels(id, run.bl, run.number, [ysize, xsize]));
    const more = byFile.get(id);
    if (more?.length === mask.data.length)
      for (const [i, reason] of more.entries()) mask.data[i] = (mask.data[i] ?? 0) | reason;
    return mask;
  });
}

/** Only files have them. */
async function namedBadPixels(
  infos: readonly DetectorInfo[],
  named: BadPixelSources["named"],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  try {
    for (const { id } of infos) {
      const mask = await named(id);
      if (mask !== null) found.set(id, mask.data);
    }
  } catch (error) {
    if (!isSaclaError(error, "UNSUPPORTED", "UNKNOWN_METHOD")) throw error;
  }
  return found;
}

/** The facility records them for each run; not every file has them. */
async function citiusBadPixels(
  reader: BadPixelReader,
  options: CallOptions,
): Promise<ReadonlyMap<string, NdArray<Uint8Array>>> {
  try {
    const ids = await reader.readDetidlist(options);
    const { data, shape } = await reader.readBadpixelMasks(options);
    const [, ysize = 0, xsize = 0] = shape;
    const sensor = (i: number) => data.subarray(i * ysize * xsize, (i + 1) * ysize * xsize);
    return new Map(ids.map((id, i) => [id, asImage(sensor(i), ysize, xsize)]));
  } catch (error) {
    if (isSaclaError(error, "UNSUPPORTED")) return new Map();
    throw error;
  }
}
