import type { DetectorInfo } from "../core/detector.ts";
import { badArgument } from "../core/guards.ts";
import { pixelPositions } from "./geometry.ts";
import { checkPerSensor, entryFor, type PerSensor, readMask, type SensorMask } from "./pixels.ts";
import { withoutSpikes } from "./spikes.ts";

/** Pixels, or blocks of pixels, of a picture of rings: places in µm in the frame of the detector API, and values. */
export interface RingPixels {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly value: Float64Array;
}

export type RingImages = Readonly<Record<string, { readonly data: ArrayLike<number> } | ArrayLike<number>>>;

/**
 * The pixels of a picture that have a value and are not masked, hot and cold ones cut to what their neighbours allow.
 * @returns a function for them, or for means over squares of about a size; a square with fewer than half of its pixels
 *   is left out
 * @throws BAD_ARGUMENT for images of another shape
 */
export function ringPixels(
  images: RingImages,
  { sensors, masks = {} }: { sensors: readonly DetectorInfo[]; masks?: PerSensor<SensorMask> | undefined },
): (blockUm: number) => RingPixels {
  if (sensors.length === 0) throw badArgument("sensors", "an empty list", "at least one sensor");
  checkPerSensor("masks", masks, new Map(sensors.map(({ id }, i) => [id, i])));
  const parts = sensors.flatMap((info, index) => {
    const image = images[info.id];
    if (image === undefined) return [];
    const data = "data" in image ? image.data : image;
    if (data.length !== info.xsize * info.ysize)
      throw badArgument(`pixels of ${info.id}`, data.length, `${info.ysize} × ${info.xsize}`);
    const mask = readMask(`the mask of ${info.id}`, entryFor(masks, index, info.id), info.ysize, info.xsize);
    return [{ info, data: withoutSpikes(data, mask, info) }];
  });
  if (!parts.some(({ data }) => data.some((value) => !Number.isNaN(value))))
    throw badArgument("images", Object.keys(images), `images of ${sensors.map(({ id }) => id).join(", ")}`);
  return (blockUm) => joined(parts.map(({ info, data }) => blocksOf(info, data, blockUm)));
}

function joined(parts: readonly RingPixels[]): RingPixels {
  const join = (pick: (part: RingPixels) => Float64Array): Float64Array => {
    const all = new Float64Array(parts.reduce((length, part) => length + pick(part).length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(pick(part), at);
      at += pick(part).length;
    }
    return all;
  };
  return { x: join((part) => part.x), y: join((part) => part.y), value: join((part) => part.value) };
}

function blocksOf(info: DetectorInfo, data: Float64Array, blockUm: number): RingPixels {
  const places = pixelPositions(info);
  const block = Math.max(1, Math.round(blockUm / (info.geometry?.pixelSizeXUm ?? NaN)));
  const across = Math.ceil(info.xsize / block);
  const length = across * Math.ceil(info.ysize / block);
  const [x, y, value] = [new Float64Array(length), new Float64Array(length), new Float64Array(length)];
  const count = new Uint32Array(length);
  for (let row = 0, i = 0; row < info.ysize; row++) {
    const first = Math.floor(row / block) * across;
    for (let column = 0; column < info.xsize; column++, i++) {
      const own = data[i] ?? NaN;
      if (Number.isNaN(own)) continue;
      const k = first + Math.floor(column / block);
      x[k] = (x[k] ?? 0) + (places.x.data[i] ?? NaN);
      y[k] = (y[k] ?? 0) + (places.y.data[i] ?? NaN);
      value[k] = (value[k] ?? 0) + own;
      count[k] = (count[k] ?? 0) + 1;
    }
  }
  let kept = 0;
  for (let k = 0; k < length; k++) {
    const n = count[k] ?? 0;
    if (2 * n < block * block) continue;
    for (const all of [x, y, value]) all[kept] = (all[k] ?? NaN) / n;
    kept++;
  }
  return { x: x.subarray(0, kept), y: y.subarray(0, kept), value: value.subarray(0, kept) };
}
