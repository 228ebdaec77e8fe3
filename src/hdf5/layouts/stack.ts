import { EV_PER_ELECTRON } from "../../core/constants.ts";
import { type DetectorInfo, photonsPerAdu, type SensorGeometry } from "../../core/detector.ts";
import { SaclaError } from "../../core/errors.ts";
import { type CrystfelGeomOptions, toCrystfelGeom } from "../../ip/index.ts";
import type { H5File } from "../read/h5file.ts";
import type { PixelUnits } from "../request.ts";
import { chunkFilter } from "../write/compression.ts";
import type { ConvertPlan, OutputImage } from "../write/plan.ts";
import type { H5Numbers, H5Writer } from "../write/writer.ts";
import { tagNumbers } from "./event-info.ts";
import type { LayoutWriter } from "./layout.ts";
import { checkDataset, type DatasetBook, datasetRules, error } from "./rules.ts";

/** Units per photon: tenths of photons as Cheetah's and ostrich's SACLA files, or photons, as DIALS takes them. */
export const unitsPerPhoton: Readonly<Record<PixelUnits, number>> = { photons: 1, tenths: 10 };

/** Rules of every stacked layout. */
export const stackRules = {
  ...datasetRules,
  "stack-image": error("Every shot has one image, all of one shape and type."),
  "stack-energy": error("Every shot has its photon energy, above zero: wavelength and photons come from it."),
  "stack-mask": error("The mask has the shape of an image, or it hides the wrong pixels."),
};

/** Whether the images at a path are there and can be read. */
export function checkStackImages(file: H5File, path: string, book: DatasetBook): void {
  checkDataset(file, path, book);
  book.check("image-type", path, () => (file.hasNumbers(path) ? null : `is ${file.described(path) ?? "not there"}`));
}

/** Path of the tags in stacked files of `sacla convert`. */
export const STACK_TAG_LIST = "/sacla/event_info/tag_number_list";

/** Highest value of a pixel: 16 bits, less the pedestal, which was taken off (1 % is above any). */
const SATURATION_ADU = 0.99 * 65_535;
/** Ten times the noise of a pixel, below 300 e⁻ rms (SPring-8/SACLA Research Frontiers 2014, p. 117). */
const LOWEST_ELECTRONS = -3000;

/** What a conversion to a stacked layout has in common. */
export const stackWriting = {
  dark: "head",
  missing: ["drop", "error"],
  refuses: ["assembled", "pixels"],
} as const;

/** What a CrystFEL geometry names of the file beside it. */
export type StackPaths = Pick<
  CrystfelGeomOptions,
  "dataPath" | "hasShotAxis" | "maskPath" | "peakListPath" | "photonEnergyPath"
>;

/** What stacked layouts have in common: one image for all sensors, under each other, in photons or tenths. */
export abstract class StackWriter implements LayoutWriter {
  readonly eventInfo = "/sacla/event_info";
  protected readonly writer: H5Writer;
  protected readonly plan: ConvertPlan;
  protected readonly image: OutputImage;
  protected readonly energiesEv: number[] = [];

  constructor(writer: H5Writer, plan: ConvertPlan) {
    const [image] = plan.images;
    if (image === undefined) throw new SaclaError("INTERNAL", "A stacked file has no image.");
    this.writer = writer;
    this.plan = plan;
    this.image = image;
  }

  abstract readonly imagePaths: readonly string[];
  abstract begin(): void;
  abstract shot(tag: number, energyEv: number, images: readonly (H5Numbers | null)[]): void;

  end(tags: Uint32Array, times: Float64Array): void {
    this.writer.numbers(`${this.eventInfo}/tag_number_list`, tagNumbers(tags));
    this.writer.numbers(`${this.eventInfo}/time_stamp`, times);
  }

  /** The CrystFEL geometry that goes with the file. */
  geom(): string {
    const { sensors, request } = this.plan;
    return toCrystfelGeom(sensors, {
      photonEnergyEv: this.energiesEv.reduce((a, b) => a + b, 0) / this.energiesEv.length,
      aduPerPhoton: this.unitsPerPhoton,
      cameraLengthMm: request.cameraLengthMm,
      masks: this.plan.masks,
      ...this.paths,
    });
  }

  /** Where CrystFEL finds images, mask and photon energies. */
  protected abstract readonly paths: StackPaths;

  /** Bad pixels of the whole stack: `bad` where one is not to be used, else 0. */
  protected badStack<T extends Uint16Array | Uint32Array>(out: T, bad: number): T {
    let to = 0;
    for (const { data } of this.plan.masks) for (const use of data) out[to++] = use === 0 ? bad : 0;
    return out;
  }

  protected get unitsPerPhoton(): number {
    const { units } = this.plan.request;
    if (units === null) throw new SaclaError("INTERNAL", "A stacked file has no units.");
    return unitsPerPhoton[units];
  }

  /** The lowest and the highest value to be believed, in the units of the pixels, of any sensor in any shot. */
  protected trustedRange(): readonly [low: number, high: number] {
    const gain = Math.min(...this.plan.sensors.map(({ absGain }) => absGain ?? NaN));
    const [weakest, hardest] = [Math.min(...this.energiesEv), Math.max(...this.energiesEv)];
    return [
      Math.floor((this.unitsPerPhoton * LOWEST_ELECTRONS * EV_PER_ELECTRON) / weakest),
      Math.floor(this.unitsPerPhoton * SATURATION_ADU * photonsPerAdu(gain, hardest)),
    ];
  }

  /** Rows of a chunk: readers take a shot sensor by sensor, and a chunk of all of them would be unpacked for each. */
  protected get sensorRows(): number {
    return this.plan.sensors[0]?.ysize ?? this.image.rows;
  }

  protected get filter(): ReturnType<typeof chunkFilter> {
    return chunkFilter(this.plan.request);
  }

  protected geometries(): SensorGeometry[] {
    return this.plan.sensors.map(({ id, geometry }: DetectorInfo) => {
      if (geometry === null) throw new SaclaError("BAD_GEOMETRY", `${id} has no geometry.`);
      return geometry;
    });
  }
}
