import { createHash } from "node:crypto";
import type { DetectorInfo } from "../../core/detector.ts";
import { asFinite, badArgument } from "../../core/guards.ts";
import { any, resolveOptions } from "../../core/options.ts";
import { pixelPositions } from "../../ip/geometry.ts";
import { checkPerSensor, entryFor, type PerSensor, readMask, type SensorMask } from "../../ip/pixels.ts";

export interface RadialProfileOptions {
  /** Information of every sensor of the detector (`Assembler.sensors` is one such list): all get the same bins. */
  readonly sensors: readonly DetectorInfo[];
  /**
   * Width of a bin; bin k holds the pixels whose centres lie from k · binUm to below (k + 1) · binUm from the centre.
   */
  readonly binUm: number;
  /** Pixels further out are left out. @default the pixel furthest out */
  readonly maxUm?: number | undefined;
  /** Where the beam hits, in µm in the frame of the detector API. @default x 0, y 0 */
  readonly centreUm?: { readonly x: number; readonly y: number };
  /** 1 = use. Pixels not used are left out of sum and count. */
  readonly masks?: PerSensor<SensorMask> | undefined;
  /** Keep the profile of each shot too, for the bins that touch this range of radii. @default none */
  readonly perShot?: { readonly fromUm: number; readonly toUm: number };
}

/** The bins of one sensor's pixels. */
interface SensorBins {
  /** Bin of each pixel, row by row; the number of bins where the pixel is left out. */
  readonly binOf: Uint16Array;
  /** Pixels in each bin. */
  readonly pixelsIn: Float64Array;
}

/** The largest number a Uint16Array can hold is for pixels left out. */
const MAX_BINS = 65_535;

/** Sorts the pixels of a detector into rings round the beam. */
export class RadialBins {
  readonly binUm: number;
  readonly bins: number;
  /** Bins kept shot by shot, the end excluded. */
  readonly kept: readonly [start: number, end: number];
  readonly #sensors: ReadonlyMap<string, { readonly info: DetectorInfo; readonly mask: Uint8Array | null }>;
  readonly #centre: { readonly x: number; readonly y: number };
  readonly #made = new Map<string, SensorBins>();

  constructor(options: RadialProfileOptions) {
    resolveOptions("radialProfile", options, {
      sensors: any,
      binUm: any,
      maxUm: any,
      centreUm: any,
      masks: any,
      perShot: any,
    });
    const { sensors, masks = {}, centreUm = { x: 0, y: 0 }, perShot } = options;
    if (sensors.length === 0) throw badArgument("sensors", "an empty list", "at least one sensor");
    this.binUm = asFinite("binUm", options.binUm, Number.MIN_VALUE);
    this.#centre = { x: asFinite("centreUm.x", centreUm.x), y: asFinite("centreUm.y", centreUm.y) };
    checkPerSensor("masks", masks, new Map(sensors.map(({ id }, i) => [id, i])));
    this.#sensors = new Map(
      sensors.map((info, i) => [
        info.id,
        { info, mask: readMask(`the mask of ${info.id}`, entryFor(masks, i, info.id), info.ysize, info.xsize) },
      ]),
    );
    const reach =
      options.maxUm === undefined
        ? Math.max(...sensors.map((info) => this.#furthest(info)))
        : asFinite("maxUm", options.maxUm, this.binUm);
    // The furthest pixel belongs to a bin, the end given by the caller does not.
    this.bins = options.maxUm === undefined ? Math.floor(reach / this.binUm) + 1 : Math.ceil(reach / this.binUm);
    if (this.bins > MAX_BINS)
      throw badArgument(
        "binUm",
        this.binUm,
        `at least ${reach / MAX_BINS} for radii up to ${reach} µm (${MAX_BINS} bins at most)`,
      );
    this.kept =
      perShot === undefined
        ? [0, 0]
        : this.#range(asFinite("perShot.fromUm", perShot.fromUm, 0), asFinite("perShot.toUm", perShot.toUm, 0));
  }

  /** Middle of each bin, µm. */
  radii(start = 0, end: number = this.bins): Float64Array {
    return Float64Array.from({ length: end - start }, (_, k) => (start + k + 0.5) * this.binUm);
  }

  /** Bytes of the table and the mask of a sensor. */
  bytesFor(detId: string, pixels: number): number {
    return 2 * pixels + 8 * this.bins + (this.#sensors.get(detId)?.mask?.byteLength ?? 0);
  }

  /** In words that are compared; of the geometry and the masks of all sensors only digests, for they are long. */
  get words(): string {
    const { x, y } = this.#centre;
    const sensors = [...this.#sensors.values()];
    const geometry = digest(sensors.map(({ info }) => JSON.stringify([info.id, info.geometry])));
    const masks = digest(sensors.map(({ mask }) => mask ?? "none"));
    return `${this.bins} bins of ${this.binUm} um round ${x}, ${y}; shot by shot ${this.kept.join("-")}; geometry ${geometry}, masks ${masks}`;
  }

  /**
   * The bins of a sensor, computed once.
   * @throws BAD_ARGUMENT when the sensor is unknown or its images have another shape
   */
  of(detId: string, rows: number, columns: number): SensorBins {
    const made = this.#made.get(detId);
    if (made !== undefined) return made;
    const sensor = this.#sensors.get(detId);
    if (sensor === undefined) throw badArgument("sensor", detId, `one of ${[...this.#sensors.keys()].join(", ")}`);
    const { info, mask } = sensor;
    if (info.ysize !== rows || info.xsize !== columns) {
      throw badArgument(
        `shape of ${detId}`,
        [rows, columns],
        `[${info.ysize}, ${info.xsize}], its whole image: positions are known for that`,
      );
    }
    const radius = this.#radii(info);
    const binOf = new Uint16Array(rows * columns);
    const pixelsIn = new Float64Array(this.bins);
    for (let i = 0; i < binOf.length; i++) {
      const bin = Math.floor(radius(i) / this.binUm);
      const used = bin < this.bins && (mask === null || mask[i] === 1);
      binOf[i] = used ? bin : this.bins;
      if (used) pixelsIn[bin] = (pixelsIn[bin] ?? 0) + 1;
    }
    const bins = { binOf, pixelsIn };
    this.#made.set(detId, bins);
    return bins;
  }

  #range(fromUm: number, toUm: number): [number, number] {
    const start = Math.floor(fromUm / this.binUm);
    const end = Math.min(this.bins, Math.ceil(toUm / this.binUm));
    if (start >= end)
      throw badArgument("perShot", { fromUm, toUm }, `a range of radii from 0 to ${this.bins * this.binUm} µm`);
    return [start, end];
  }

  #radii(info: DetectorInfo): (i: number) => number {
    const { x, y } = pixelPositions(info);
    const { x: x0, y: y0 } = this.#centre;
    return (i) => Math.hypot((x.data[i] ?? NaN) - x0, (y.data[i] ?? NaN) - y0);
  }

  #furthest(info: DetectorInfo): number {
    const radius = this.#radii(info);
    let furthest = 0;
    for (let i = 0; i < info.ysize * info.xsize; i++) furthest = Math.max(furthest, radius(i));
    return furthest;
  }
}

function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update(",");
  return hash.digest("hex").slice(0, 8);
}
