import { createHash } from "node:crypto";
import type { DetectorInfo } from "../../core/detector.ts";
import { asFinite, badArgument } from "../../core/guards.ts";
import { pixelCorners, pixelPositions } from "../../ip/geometry.ts";
import { checkPerSensor, entryFor, readMask } from "../../ip/pixels.ts";
import { type LabPlace, labPlaces, polarisationWeight, relativeSolidAngle } from "../../ip/ring-geometry.ts";
import { quantize } from "../engine/exact.ts";
import { azimuthDeg, BinEdges, type RadialUnit, radialAxis, radialValue, sectorEdges } from "./radial-axis.ts";
import { profileOptions, type RadialProfileOptions } from "./radial-options.ts";
import { areaOf, type Corners, cutToSector, shareByRadius, shareWithin } from "./radial-split.ts";

/** Shares of the pixels in bins: those of pixel i stand from `start[i]` to before `start[i + 1]`. */
interface Shares {
  readonly start: Uint32Array;
  readonly bin: Uint16Array;
  /** Rounded to the grid of exact sums. */
  readonly share: Float64Array;
}

/** The bins of one sensor's pixels. */
export interface SensorBins {
  /**
   * Bin of each pixel, row by row; the number of bins where the pixel is left out. Empty when pixels are shared out.
   */
  readonly binOf: Uint16Array;
  /** Null when each pixel belongs to one bin. */
  readonly shares: Shares | null;
  /** What a pixel counts in the normalisation, rounded to the grid of exact sums; null when all count 1. */
  readonly weights: Float64Array | null;
  /** Pixels in each bin. */
  readonly pixelsIn: Float64Array;
  /** Their weights; `pixelsIn` itself when all are 1. */
  readonly weightIn: Float64Array;
}

/** The largest number a Uint16Array can hold is for pixels left out. */
const MAX_BINS = 65_535;

type SensorPixels = { readonly info: DetectorInfo; readonly mask: Uint8Array | null };

/** Sorts the pixels of a detector into rings round the beam, and into sectors if asked for. */
export class RadialBins {
  readonly unit: RadialUnit;
  readonly radial: BinEdges;
  /** Null for the whole circle. */
  readonly sectors: BinEdges | null;
  /** In all: sectors × radial bins. */
  readonly bins: number;
  /** Radial bins kept shot by shot, the end excluded. */
  readonly kept: readonly [start: number, end: number];
  readonly options: ReturnType<typeof profileOptions>;
  readonly #sensors: ReadonlyMap<string, SensorPixels>;
  readonly #toLab: (x: number, y: number, to: LabPlace) => void;
  readonly #value: (at: LabPlace) => number;
  readonly #made = new Map<string, SensorBins>();

  constructor(given: RadialProfileOptions) {
    this.options = profileOptions(given);
    const { sensors, masks = {}, geometry, binUm, azimuth, perShot } = given;
    const { centre, errors, photonEnergyEv } = this.options;
    checkPerSensor("masks", masks, new Map(sensors.map(({ id }, i) => [id, i])));
    this.#sensors = new Map(
      sensors.map((info, i) => [
        info.id,
        { info, mask: readMask(`the mask of ${info.id}`, entryFor(masks, i, info.id), info.ysize, info.xsize) },
      ]),
    );
    this.#toLab = geometry === undefined ? uprightAt(centre) : labPlaces(geometry);
    const axis = given.axis === undefined ? undefined : radialAxis(given.axis);
    this.unit = axis?.unit ?? "r_um";
    this.#value = radialValue(this.unit, photonEnergyEv);
    this.radial = axis?.edges ?? this.#rings(asFinite("binUm", binUm, Number.MIN_VALUE), given.maxUm);
    this.sectors = azimuth === undefined ? null : sectorEdges(azimuth);
    this.bins = this.radial.bins * (this.sectors?.bins ?? 1);
    if (this.bins > MAX_BINS) throw badArgument("bins", this.bins, `at most ${MAX_BINS} in all, sectors × radial bins`);
    this.kept =
      perShot === undefined
        ? [0, errors === "shots" ? this.radial.bins : 0]
        : this.#range(asFinite("perShot.from", perShot.from), asFinite("perShot.to", perShot.to));
    if (errors === "shots" && this.kept[1] - this.kept[0] < this.radial.bins)
      throw badArgument("perShot", perShot, "nothing, or a range of all bins, with errors from the shots");
  }

  /** Bytes of the table and the mask of a sensor. */
  bytesFor(detId: string, rows: number, columns: number): number {
    const { binOf, shares, weights, pixelsIn, weightIn } = this.of(detId, rows, columns);
    const arrays = [binOf, shares?.start, shares?.bin, shares?.share, weights, pixelsIn];
    const own = arrays.reduce((bytes, array) => bytes + (array?.byteLength ?? 0), 0);
    const mask = this.#sensors.get(detId)?.mask?.byteLength ?? 0;
    return this.radial.edges.byteLength + own + mask + (weightIn === pixelsIn ? 0 : weightIn.byteLength);
  }

  /** In words that are compared; of the geometry and the masks of all sensors only digests, for they are long. */
  get words(): string {
    const { centre, geometry, photonEnergyEv, polarisation, solidAngle, split, errors, aduPerPhoton } = this.options;
    const sensors = [...this.#sensors.values()];
    const geometries = digest(sensors.map(({ info }) => JSON.stringify([info.id, info.geometry])));
    const masks = digest(sensors.map(({ mask }) => mask ?? "none"));
    const settings = JSON.stringify([geometry, photonEnergyEv, polarisation, solidAngle, split, errors, aduPerPhoton]);
    const edges = digest([JSON.stringify([[...this.radial.edges], [...(this.sectors?.edges ?? [])]])]);
    return (
      `${this.bins} bins of ${this.unit} round ${centre.x}, ${centre.y}; edges ${edges}; settings ${settings}; ` +
      `shot by shot ${this.kept.join("-")}; geometry ${geometries}, masks ${masks}`
    );
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
    const { info } = sensor;
    if (info.ysize !== rows || info.xsize !== columns) {
      throw badArgument(
        `shape of ${detId}`,
        [rows, columns],
        `[${info.ysize}, ${info.xsize}], its whole image: positions are known for that`,
      );
    }
    const bins = this.options.split === "area" ? this.#shared(sensor) : this.#byCentre(sensor);
    this.#made.set(detId, bins);
    return bins;
  }

  #byCentre(sensor: SensorPixels): SensorBins {
    const { info, mask } = sensor;
    const at = this.#centres(info);
    const weights = this.#weights(info);
    const binOf = new Uint16Array(info.ysize * info.xsize).fill(this.bins);
    const pixelsIn = new Float64Array(this.bins);
    const weightIn = weights === null ? pixelsIn : new Float64Array(this.bins);
    for (let i = 0; i < binOf.length; i++) {
      if (mask !== null && mask[i] !== 1) continue;
      const bin = this.#binOf(at(i));
      binOf[i] = bin;
      if (bin === this.bins) continue;
      pixelsIn[bin] = (pixelsIn[bin] ?? 0) + 1;
      if (weights !== null) weightIn[bin] = (weightIn[bin] ?? 0) + (weights[i] ?? NaN);
    }
    return { binOf, shares: null, weights, pixelsIn, weightIn };
  }

  /** The bin of a place; the number of bins for none. */
  #binOf(place: LabPlace): number {
    const bin = this.radial.find(this.#value(place));
    if (bin < 0 || bin >= this.radial.bins) return this.bins;
    if (this.sectors === null) return bin;
    const sector = this.sectors.find(azimuthDeg(place, this.sectors.edges[0] ?? 0));
    return sector < 0 || sector >= this.sectors.bins ? this.bins : sector * this.radial.bins + bin;
  }

  #shared({ info, mask }: SensorPixels): SensorBins {
    const weights = this.#weights(info);
    const pixels = info.ysize * info.xsize;
    const start = new Uint32Array(pixels + 1);
    const [bins, shares]: [number[], number[]] = [[], []];
    const pixelsIn = new Float64Array(this.bins);
    const weightIn = weights === null ? pixelsIn : new Float64Array(this.bins);
    const [at, corners] = [this.#centres(info), this.#corners(info)];
    for (let i = 0; i < pixels; i++) {
      start[i] = bins.length;
      if (mask !== null && mask[i] !== 1) continue;
      this.#share(corners(i), at, i, (bin, exact) => {
        const share = quantize(exact);
        if (share === 0) return;
        bins.push(bin);
        shares.push(share);
        pixelsIn[bin] = (pixelsIn[bin] ?? 0) + share;
        if (weights !== null) weightIn[bin] = (weightIn[bin] ?? 0) + quantize(share * (weights[i] ?? NaN));
      });
    }
    start[pixels] = bins.length;
    const table = { start, bin: Uint16Array.from(bins), share: Float64Array.from(shares) };
    return { binOf: new Uint16Array(0), shares: table, weights, pixelsIn, weightIn };
  }

  #share(
    corners: Corners,
    centreOf: (i: number) => LabPlace,
    i: number,
    give: (bin: number, share: number) => void,
  ): void {
    const first = this.radial.find(Math.min(...corners.radial));
    const last = this.radial.find(Math.max(...corners.radial));
    const whole = Math.abs(areaOf(corners));
    // The direct beam goes through this pixel: it has no azimuth, and belongs to the bin of its centre.
    if (Math.max(...corners.azimuth) - Math.min(...corners.azimuth) > 180 || !(whole > 0)) {
      const bin = this.#binOf(centreOf(i));
      if (bin < this.bins) give(bin, 1);
      return;
    }
    // As in pyFAI a pixel that an end of the axis cuts counts whole.
    const isCut = first < 0 || last >= this.radial.bins;
    const area = isCut ? shareWithin(corners, this.radial.edges) : whole;
    if (this.sectors === null) {
      shareByRadius(corners, this.radial.edges, first, last, give, area);
      return;
    }
    const { edges } = this.sectors;
    for (let sector = 0; sector < this.sectors.bins; sector++) {
      const [low, high] = [edges[sector] ?? NaN, edges[sector + 1] ?? NaN];
      for (const turn of [-360, 0, 360]) {
        if (Math.max(...corners.azimuth) <= low + turn || Math.min(...corners.azimuth) >= high + turn) continue;
        const part = cutToSector(corners, low + turn, high + turn);
        shareByRadius(
          part,
          this.radial.edges,
          first,
          last,
          (k, share) => give(sector * this.radial.bins + k, share),
          area,
        );
      }
    }
  }

  /** Radial value and azimuth of a pixel's corners. */
  #corners(info: DetectorInfo): (i: number) => Corners {
    const { x, y } = pixelCorners(info);
    const columns = info.xsize + 1;
    const place: LabPlace = { x: 0, y: 0, z: 0 };
    const from = this.sectors?.edges[0] ?? -180;
    const radial = new Float64Array(x.data.length);
    const azimuth = new Float64Array(x.data.length);
    for (let i = 0; i < radial.length; i++) {
      this.#toLab(x.data[i] ?? NaN, y.data[i] ?? NaN, place);
      radial[i] = this.#value(place);
      azimuth[i] = azimuthDeg(place, from);
    }
    // One object for all: there are millions.
    const corners = { radial: [0, 0, 0, 0], azimuth: [0, 0, 0, 0] };
    const steps = [0, 1, columns + 1, columns];
    return (i) => {
      const at = Math.floor(i / info.xsize) * columns + (i % info.xsize);
      const reference = azimuth[at] ?? NaN;
      for (let k = 0; k < 4; k++) {
        const corner = at + (steps[k] ?? 0);
        corners.radial[k] = radial[corner] ?? NaN;
        const turned = azimuth[corner] ?? NaN;
        // Of the turn of the first corner.
        corners.azimuth[k] = turned - 360 * Math.round((turned - reference) / 360);
      }
      return corners;
    };
  }

  /** The places of the pixels' centres in the laboratory, one at a time in the same object. */
  #centres(info: DetectorInfo): (i: number) => LabPlace {
    const { x, y } = pixelPositions(info);
    const place: LabPlace = { x: 0, y: 0, z: 0 };
    return (i) => {
      this.#toLab(x.data[i] ?? NaN, y.data[i] ?? NaN, place);
      return place;
    };
  }

  #weights(info: DetectorInfo): Float64Array | null {
    const { geometry, polarisation, solidAngle } = this.options;
    if (geometry === undefined || (polarisation === null && !solidAngle)) return null;
    const polarised = polarisation === null ? () => 1 : polarisationWeight(polarisation);
    const solid = solidAngle ? relativeSolidAngle(geometry) : () => 1;
    const { x, y } = pixelPositions(info);
    const place: LabPlace = { x: 0, y: 0, z: 0 };
    return Float64Array.from(x.data, (px, i) => {
      const py = y.data[i] ?? NaN;
      this.#toLab(px, py, place);
      return quantize(polarised(place) * solid(px, py));
    });
  }

  #range(from: number, to: number): [number, number] {
    const { edges, bins } = this.radial;
    const touching = Array.from({ length: bins }, (_, k) => k).filter(
      (k) => (edges[k] ?? NaN) < to && (edges[k + 1] ?? NaN) > from,
    );
    const [start, end] = [touching.at(0), touching.at(-1)];
    if (start === undefined || end === undefined)
      throw badArgument("perShot", { from, to }, `a range between ${edges[0]} and ${edges[bins]} ${this.unit}`);
    return [start, end + 1];
  }

  #rings(binUm: number, maxUm: number | undefined): BinEdges {
    const reach =
      maxUm === undefined
        ? Math.max(...[...this.#sensors.values()].map(({ info }) => this.#furthest(info)))
        : asFinite("maxUm", maxUm, binUm);
    // The furthest pixel belongs to a bin, the end given by the caller does not.
    const bins = maxUm === undefined ? Math.floor(reach / binUm) + 1 : Math.ceil(reach / binUm);
    if (bins > MAX_BINS)
      throw badArgument(
        "binUm",
        binUm,
        `at least ${reach / MAX_BINS} for radii up to ${reach} µm (${MAX_BINS} bins at most)`,
      );
    return BinEdges.uniform(0, binUm, bins);
  }

  #furthest(info: DetectorInfo): number {
    const at = this.#centres(info);
    let furthest = 0;
    for (let i = 0; i < info.ysize * info.xsize; i++) furthest = Math.max(furthest, this.#value(at(i)));
    return furthest;
  }
}

/** Places on a detector upright in the beam; of its distance nothing is asked. A function of its own holds no masks. */
function uprightAt(centre: { readonly x: number; readonly y: number }): (x: number, y: number, to: LabPlace) => void {
  return (x, y, to) => {
    to.x = x - centre.x;
    to.y = y - centre.y;
    to.z = 1;
  };
}

function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update(",");
  return hash.digest("hex").slice(0, 8);
}
