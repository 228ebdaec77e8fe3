import { setImmediate } from "node:timers/promises";
import type { DetectorInfo } from "../core/detector.ts";
import { type DetectorGroup, Detectors } from "../core/detectors.ts";
import { SaclaError } from "../core/errors.ts";
import { asImage, contiguous, type Image, type RawImage, shapeOf } from "../core/ndarray.ts";
import { type Roi, roiShape } from "../core/roi.ts";
import { ImageMemory, type Shot } from "../core/shots.ts";
import type { Run } from "../db/index.ts";
import { type Assembler, fromBeamCentre, type SensorMask, type SensorRegion, usable } from "../ip/index.ts";
import { areSamePixelsBad } from "../ip/masks.ts";
import {
  assemblerFor,
  combineHits,
  combineProfiles,
  type Dark,
  darkAverage,
  darkOf,
  histogram,
  hits,
  type Reduced,
  type Reducer,
  radialProfile,
  reduce,
} from "../reduce/index.ts";
import type { St } from "../st/index.ts";
import type { CallParams, CallResult } from "../transport/methods.ts";
import type { PageFrame } from "../transport/page-methods.ts";
import { type BeamPlace, beamOnAssembled, beamOnSensor, distancesIn } from "./beam-place.ts";
import { type RadialAxis, RadialScale } from "./radial-scale.ts";
import { ShotStack } from "./shot-stack.ts";
import { WholePicture } from "./shown.ts";

/** What makes a hit: so many pixels at or above a threshold. */
export type HitConditions = NonNullable<CallParams<"page.live">["hits"]>;

/** Bins of the histogram of all pixels. */
const HISTOGRAM = { from: -100, to: 4000, binWidth: 1 };
/** Of a profile. */
const PROFILE_BINS = 400;
/** With a ring kept shot by shot, the sums of one image are made in memory that stays: half the time. */
const ONE_RING = { from: 0, to: Number.MIN_VALUE };
/** Rectangles whose sensor pixels are remembered. */
const KEPT_REGIONS = 64;

/** A detector of a run with all that is needed to make pictures of its shots. */
export class PageDetector {
  readonly group: DetectorGroup;
  readonly assembler: Assembler | null;
  /** Null when it is not known where the beam is. */
  readonly beam: BeamPlace | null;
  readonly dark: Dark | null;
  readonly #infos: readonly DetectorInfo[];
  readonly #run: Run;
  /** Pixels to use (1), in the order of the sensors; undefined until they are needed. */
  #masks: readonly SensorMask[] | undefined;
  readonly #kept = new ImageMemory();
  /** Memory in which numbers of a shot have been made, and which nothing uses now. */
  readonly #stacks: ShotStack[] = [];
  readonly #regions = new Map<string, readonly SensorRegion[]>();
  /** Axes whose numbers are made ready (false), or are ready. */
  readonly #ready = new Map<string, boolean>();
  readonly #profiles = new Map<string, ReturnType<typeof radialProfile> | null>();

  private constructor(
    run: Run,
    group: DetectorGroup,
    infos: readonly DetectorInfo[],
    assembler: Assembler | null,
    dark: Dark | null,
  ) {
    this.#run = run;
    this.group = group;
    this.#infos = infos;
    this.assembler = assembler;
    this.beam = assembler === null ? beamOnSensor(infos[0]?.geometry ?? null) : beamOnAssembled(assembler);
    this.dark = dark;
  }

  /**
   * @param darkRun - whose dark shots, or all shots when it marks none, are averaged; null: nothing is subtracted
   * @param before - that of another run with the same dark, given again when all else is the same, too: to find the
   *   places of the pixels takes a second for an octal
   * @throws UNKNOWN_DETECTOR, BAD_GEOMETRY, NO_DARK
   */
  static async open(
    st: St,
    run: Run,
    detId: string,
    darkRun: Run | null,
    { signal, before }: { readonly signal?: AbortSignal; readonly before?: PageDetector | undefined } = {},
  ): Promise<PageDetector> {
    const owner = `Run ${run.number} of beamline ${run.bl}`;
    const group = Detectors.of(await run.detectors({ signal }), owner).find(detId);
    const infos: DetectorInfo[] = [];
    for (const id of group.sensors) infos.push(await run.detectorInfo(id, { signal }));
    if (before?.isOf(run, infos) === true) return before;
    const assembler = infos.length < 2 ? null : await assemblerFor(run, infos, "source", "nearest", signal);
    if (infos.length > 1 && assembler === null)
      throw new SaclaError("BAD_GEOMETRY", `${detId} has no geometry; show one of its sensors: ${group.sensors}.`);
    const dark = darkRun === null ? null : await darkOfRun(st, darkRun, group, signal);
    return new PageDetector(run, group, infos, assembler, dark);
  }

  isOf(run: Run, infos: readonly DetectorInfo[]): boolean {
    const { bl, number } = this.#run;
    const isSame = ({ id }: DetectorInfo): boolean =>
      // The facility records those of CITIUS sensors for each run.
      !id.startsWith("CITIUS") && areSamePixelsBad(id, bl, number, run.number);
    return bl === run.bl && JSON.stringify(infos) === JSON.stringify(this.#infos) && infos.every(isSame);
  }

  /**
   * The picture of the images of one shot, or of means.
   * @param again - a picture of this detector that nobody needs any more: its memory is used
   */
  picture(images: Readonly<Record<string, RawImage>>, again?: WholePicture): WholePicture {
    const { assembler, dark } = this;
    if (assembler !== null) {
      const given = Object.fromEntries(Object.entries(images).filter(([id]) => this.group.sensors.includes(id)));
      const picture = again ?? new WholePicture(assembler.height, assembler.width);
      const out: Image = asImage(picture.data, assembler.height, assembler.width);
      assembler.assemble(given, dark === null ? { out } : { out, dark: dark.mean });
      return picture;
    }
    const [sensor = ""] = this.group.sensors;
    const image = images[sensor];
    if (image === undefined) throw new SaclaError("FRAME_MISSING", `There is no image of ${sensor}.`);
    const [rows, columns] = shapeOf(sensor, image);
    const picture = again ?? new WholePicture(rows, columns);
    const { data } = picture;
    data.set(contiguous(image));
    if (dark !== null) {
      const level = darkOf(dark.mean, sensor, rows, columns);
      for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? NaN) - (level[i] ?? NaN);
    }
    return picture;
  }

  /** A copy of the images of a shot, in memory that the next copy uses again. */
  keep(images: Readonly<Record<string, RawImage>>): Readonly<Record<string, RawImage>> {
    return this.#kept.images(
      Object.entries(images).map(([detId, image]) => ({
        detId,
        shape: shapeOf(detId, image),
        data: contiguous(image),
      })),
    );
  }

  /** The sensor pixel under a pixel of the picture. */
  place(row: number, column: number): CallResult<"page.pixel">["sensor"] {
    if (this.assembler === null) return { detId: this.group.sensors[0] ?? "", row, column };
    const found = this.assembler.toSensor(column + 0.5, row + 0.5);
    return found === null ? null : { detId: found.sensor, row: found.row, column: found.column };
  }

  /** Whether the numbers of an axis take no longer than those of the next shot. */
  isReadyFor(axis: RadialAxis | null): boolean {
    return axis === null || this.#ready.get(JSON.stringify(axis)) === true;
  }

  /** Makes what the numbers of an axis need, a sensor at a time: pictures come between. */
  async makeReadyFor(axis: RadialAxis | null): Promise<void> {
    const key = JSON.stringify(axis);
    if (axis === null || this.#ready.has(key)) return;
    if (this.#ready.size >= KEPT_REGIONS) this.#ready.clear();
    this.#ready.set(key, false);
    try {
      const rings = await this.#reducerFor(axis);
      for (const { id, ysize, xsize } of this.#infos) {
        await setImmediate();
        rings?.layout({ detId: id, rows: ysize, columns: xsize, type: "uint16" });
      }
    } catch {
      // It is told when the numbers are asked for.
    } finally {
      this.#ready.set(key, true);
    }
  }

  async #reducerFor(axis: RadialAxis): Promise<ReturnType<typeof radialProfile> | null> {
    this.#masks ??= (await this.#run.badPixels(this.#infos)).map(usable);
    return this.#profileFor(axis, this.#masks);
  }

  /** Histogram of all pixels and, when asked for, the profile round the beam. */
  async numbers(
    shot: Pick<Shot, "tag" | "images">,
    axis: RadialAxis | null,
  ): Promise<Omit<NonNullable<PageFrame["numbers"]>, "tag">> {
    const rings = axis === null ? null : await this.#reducerFor(axis);
    const results = await this.#reduce(shot, { adu: histogram(HISTOGRAM), ...(rings === null ? {} : { rings }) });
    const counts = new Float64Array(HISTOGRAM.to - HISTOGRAM.from + 1);
    for (const { counts: some } of Object.values(results.adu))
      for (let i = 0; i < counts.length; i++) counts[i] = (counts[i] ?? 0) + (some[i] ?? 0);
    const profiles = "rings" in results ? (results.rings as Parameters<typeof combineProfiles>[0]) : undefined;
    const joined = profiles === undefined || rings === null ? null : combineProfiles(profiles);
    return {
      histogram: { from: HISTOGRAM.from, binWidth: HISTOGRAM.binWidth, counts },
      profile:
        joined === null || axis === null
          ? null
          : { unit: axis.unit, radial: joined.radial, mean: joined.mean, error: joined.error },
    };
  }

  /** Sums over rectangles of the picture, of the sensor pixels whose centres lie in them. */
  regions(images: Readonly<Record<string, RawImage>>, whole: WholePicture, rois: readonly Roi[]): PageFrame["rois"] {
    return rois.map((roi) => {
      const clipped = clip(roi, whole);
      let [sum, pixels, max] = [0, 0, -Infinity];
      const take = (value: number): void => {
        if (!Number.isFinite(value)) return;
        sum += value;
        pixels++;
        if (value > max) max = value;
      };
      if (clipped !== null && this.assembler === null) {
        for (let row = clipped.rows[0]; row < clipped.rows[1]; row++)
          for (let c = clipped.columns[0]; c < clipped.columns[1]; c++)
            take(whole.data[row * whole.columns + c] ?? NaN);
      } else if (clipped !== null)
        for (const region of this.#sensorsUnder(clipped)) this.#addRegion(region, images, take);
      const [mean, most] = pixels === 0 ? [null, null] : [sum / pixels, max];
      return { roi: { rows: [...roi.rows], columns: [...roi.columns] }, sum, mean, max: most, pixels };
    });
  }

  #addRegion(
    { sensor, roi, pixels }: SensorRegion,
    images: Readonly<Record<string, RawImage>>,
    take: (value: number) => void,
  ): void {
    const image = images[sensor];
    if (image === undefined) return;
    const dark = this.dark?.mean[sensor];
    for (let row = roi.rows[0]; row < roi.rows[1]; row++)
      for (let column = roi.columns[0]; column < roi.columns[1]; column++)
        if (pixels.get(row - roi.rows[0], column - roi.columns[0]) === 1)
          take(image.get(row, column) - (dark?.get(row, column) ?? 0));
  }

  #sensorsUnder(roi: Roi): readonly SensorRegion[] {
    const key = `${roi.rows} ${roi.columns}`;
    const known = this.#regions.get(key);
    if (known !== undefined) return known;
    if (this.#regions.size >= KEPT_REGIONS) this.#regions.clear();
    const found = this.assembler?.regionToSensors(roi) ?? [];
    this.#regions.set(key, found);
    return found;
  }

  /** Null for a detector without geometry. */
  #profileFor(axis: RadialAxis, masks: readonly SensorMask[]): ReturnType<typeof radialProfile> | null {
    const key = JSON.stringify(axis);
    const known = this.#profiles.get(key);
    if (known !== undefined) return known;
    const made = this.#infos.some(({ geometry }) => geometry === null) ? null : this.#newProfile(axis, masks);
    if (this.#profiles.size >= KEPT_REGIONS) this.#profiles.clear();
    this.#profiles.set(key, made);
    return made;
  }

  /**
   * Rings round the beam at round values of an axis, for a part of a picture; null: the place of the beam is not known.
   * @throws BAD_ARGUMENT for 2θ without a distance, and q without the photon energy
   */
  rings(axis: RadialAxis | null, { size, shown }: Pick<PageFrame["picture"], "size" | "shown">): PageFrame["rings"] {
    const { assembler, beam } = this;
    if (axis === null || beam === null) return null;
    const [height, width] = roiShape(shown);
    const isWhole = assembler !== null && height === size[0] && width === size[1];
    const reach = isWhole ? ([0, this.#reachUm()] as const) : distancesIn(beam, shown);
    return new RadialScale(axis).rings(reach, beam.pixelSizeUm);
  }

  /** Whether the sensors of a shot have that many lit pixels together. */
  async isHit(shot: Pick<Shot, "tag" | "images">, conditions: HitConditions): Promise<boolean> {
    const { found } = await this.#reduce(shot, { found: hits(conditions) });
    return combineHits(found).isHit[0] === 1;
  }

  async #reduce<R extends Record<string, Reducer<unknown>>>(
    shot: Pick<Shot, "tag" | "images">,
    reducers: R,
  ): Promise<Reduced<R>> {
    const stack = this.#stacks.pop() ?? new ShotStack();
    try {
      return await reduce(stack.shotOf(shot), reducers, this.dark === null ? {} : { dark: this.dark });
    } finally {
      this.#stacks.push(stack);
    }
  }

  #reachUm(): number {
    return Math.max(...this.#infos.map(furthestUm));
  }

  /** @throws BAD_ARGUMENT for 2θ without a distance, and q without the photon energy */
  #newProfile(axis: RadialAxis, masks: readonly SensorMask[]): ReturnType<typeof radialProfile> {
    const { unit, distanceMm, photonEnergyEv } = axis;
    const scale = new RadialScale(axis);
    const reach = this.#reachUm();
    const common = { sensors: this.#infos, masks, perShot: ONE_RING };
    if (unit === "r_mm") return radialProfile({ ...common, axis: { unit, to: reach / 1000, bins: PROFILE_BINS } });
    return radialProfile({
      ...common,
      geometry: fromBeamCentre({ distanceMm: distanceMm ?? NaN, centreUm: { x: 0, y: 0 } }),
      axis: { unit, to: scale.valueAt(reach), bins: PROFILE_BINS },
      ...(photonEnergyEv === null ? {} : { photonEnergyEv }),
    });
  }
}

/** The mean of the dark shots of a run; of all its shots when none is marked dark. @throws NO_DARK */
export async function darkOfRun(
  st: St,
  run: Run,
  group: DetectorGroup,
  signal: AbortSignal | undefined,
): Promise<Dark> {
  const marked = await run.darkTags(undefined, { signal }).catch(() => null);
  const tags = marked === null || marked.length === 0 ? await run.tags({ signal }) : marked;
  return await darkAverage(st.shots({ run, detectors: group.sensors, tags, signal }));
}

/** The part of a rectangle that lies in the picture; null: none. */
function clip({ rows, columns }: Roi, whole: WholePicture): Roi | null {
  const found: Roi = {
    rows: [rows[0], Math.min(rows[1], whole.rows)],
    columns: [columns[0], Math.min(columns[1], whole.columns)],
  };
  return found.rows[0] < found.rows[1] && found.columns[0] < found.columns[1] ? found : null;
}

/** How far from the beam the corner of a sensor is that is furthest out. */
function furthestUm({ geometry, xsize, ysize }: DetectorInfo): number {
  if (geometry === null) return 0;
  const { posXUm, posYUm, rotationDeg, pixelSizeXUm, pixelSizeYUm } = geometry;
  const turn = (rotationDeg * Math.PI) / 180;
  const corners = [0, ysize * pixelSizeYUm].flatMap((y) =>
    [0, xsize * pixelSizeXUm].map((x) =>
      Math.hypot(posXUm + x * Math.cos(turn) + y * Math.sin(turn), posYUm + x * Math.sin(turn) - y * Math.cos(turn)),
    ),
  );
  return Math.max(...corners);
}
