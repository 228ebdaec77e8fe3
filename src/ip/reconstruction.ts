import { SaclaError, show } from "../core/errors.ts";
import { asFinite, asInteger, badArgument } from "../core/guards.ts";
import { asImage, type Image, type NdArray, shapeOf } from "../core/ndarray.ts";
import { NearestResampler } from "./nearest.ts";
import {
  isContiguous,
  isPixelArray,
  type PixelArray,
  packPixels,
  readMask,
  type SensorMask,
  wrongPixels,
} from "./pixels.ts";
import { direction, MAX_SIDE, type Placement } from "./placement.ts";
import type { SensorInput } from "./resampler.ts";

/** One sensor as `ippy.reconstruction` takes it, with the talk's field names. */
export interface ReconstructionSource {
  /** Sensor image, shape [ysize, xsize]; may be null when `succeeded` is false. */
  readonly img: NdArray<PixelArray> | null;
  /** mp_posx / pixel size: corner of pixel (0, 0), sensor pixels to the right of the beam looking from the source. */
  readonly xPosPixel: number;
  /** **−**mp_posy / pixel size: sensor pixels below the beam. */
  readonly yPosPixel: number;
  /** Sensor pixel size in µm. */
  readonly pixelSize: number;
  /** Size of this sensor in the picture relative to one in the plane of the picture; 1 for sensors in one plane. */
  readonly dScale: number;
  /** mp_rotationangle, degrees anticlockwise. */
  readonly rotAngle: number;
  /** What values are multiplied by: absgain / absgain of the first sensor. */
  readonly iScale: number;
  /** 1 = use, 0 = leave a gap. Shape [ysize, xsize], or row by row. */
  readonly mask: SensorMask;
  /** Whether the sensor was read; false leaves its area empty. */
  readonly succeeded: boolean;
}

interface Source {
  readonly placement: Placement;
  readonly use: Uint8Array | null;
  readonly paint: SensorInput;
}

/**
 * One picture of several sensors, mirroring `ippy.reconstruction(srcs, width, height, pixelSize, offset)` as the talk
 * of 2025-03-04 calls it. Source view: column to the right looking from the source, row down, the beam at
 * (width / 2, height / 2); each output pixel shows the sensor pixel under its centre, the last source on top.
 *
 * The meaning of Python's fifth argument is not public. Here it is the value of output pixels that no sensor covers.
 * For many shots use {@link Assembler}, which keeps its maps.
 *
 * @param width - columns of the picture
 * @param height - rows of the picture
 * @param pixelSize - size of an output pixel in µm
 * @param offset - value of the gaps
 * @returns float32, shape [height, width]
 * @throws BAD_ARGUMENT when an image, mask or number is of the wrong kind or shape
 * @throws BAD_GEOMETRY when a position, angle or size is not finite, or a size is not positive
 * @example
 * const picture = reconstruction(srcs, 2399, 2399, 50, 0);
 */
export function reconstruction(
  srcs: readonly ReconstructionSource[],
  width: number,
  height: number,
  pixelSize: number,
  offset: number,
): Image {
  if (!Array.isArray(srcs)) throw badArgument("srcs", show(srcs), "a list of sources");
  asInteger("width", width, 1, MAX_SIDE);
  asInteger("height", height, 1, MAX_SIDE);
  asFinite("pixelSize", pixelSize, Number.MIN_VALUE);
  if (typeof offset !== "number") throw badArgument("offset", offset, "a number");
  const sources = srcs.flatMap((src: ReconstructionSource, i) => {
    if (typeof src.succeeded !== "boolean") throw badArgument(`srcs[${i}].succeeded`, src.succeeded, "true or false");
    return src.succeeded ? [sourceOf(src, `srcs[${i}]`, pixelSize)] : [];
  });
  const painter = new NearestResampler(
    { width, height, view: "source" },
    sources.map(({ placement }) => placement),
    sources.map(({ use }) => use),
  );
  const out = asImage(new Float32Array(width * height), height, width);
  painter.resample(
    sources.map(({ paint }) => paint),
    offset,
    out.data,
  );
  return out;
}

function sourceOf(src: ReconstructionSource, name: string, pixelSize: number): Source {
  const { img } = src;
  if (img === null || img === undefined) throw badArgument(`${name}.img`, img, "an image, or succeeded false");
  const [rows, columns] = shapeOf(`${name}.img`, img);
  if (!isPixelArray(img.data)) throw wrongPixels(`${name}.img`, img.data);
  const scale = (geometric(name, src, "pixelSize", true) * geometric(name, src, "dScale", true)) / pixelSize;
  const placement = {
    rows,
    columns,
    x: geometric(name, src, "xPosPixel") * scale,
    y: -geometric(name, src, "yPosPixel") * scale,
    ...direction(geometric(name, src, "rotAngle")),
    columnPitch: scale,
    rowPitch: scale,
  };
  const gain = asFinite(`${name}.iScale`, src.iScale);
  return {
    placement,
    use: readMask(`${name}.mask`, src.mask, rows, columns),
    paint: { ...pixelsOf(img, img.data, rows, columns), dark: false, gain },
  };
}

function pixelsOf(
  img: NdArray<PixelArray>,
  data: PixelArray,
  rows: number,
  columns: number,
): { pixels: PixelArray; offset: number } {
  if (isContiguous(img)) return { pixels: data, offset: img.offset };
  const pixels = new Float64Array(rows * columns);
  packPixels(img, rows, columns, pixels);
  return { pixels, offset: 0 };
}

function geometric(
  name: string,
  src: ReconstructionSource,
  key: "xPosPixel" | "yPosPixel" | "pixelSize" | "dScale" | "rotAngle",
  positive = false,
): number {
  const value = src[key];
  if (typeof value === "number" && Number.isFinite(value) && (!positive || value > 0)) return value;
  throw new SaclaError(
    "BAD_GEOMETRY",
    `${name}.${key} is ${show(value)}, but must be a ${positive ? "positive " : ""}finite number.`,
    {
      details: { source: name, key, value: show(value) },
    },
  );
}
