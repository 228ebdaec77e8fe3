import { badArgument } from "../../core/guards.ts";
import { contiguous, type Pixels, type RawImage, shapeOf } from "../../core/ndarray.ts";
import type { ImageSpec, Shot } from "../../core/shots.ts";
import type { ShotLabels } from "../../db/index.ts";
import { CorrectionChain, checkSignals } from "../corrections/chain.ts";
import { dark as darkStep } from "../corrections/dark.ts";
import { darkOf } from "../dark-means.ts";
import type { PartialResult, SensorState } from "../engine/partial-result.ts";
import { imageBytes, imageInPlace, takeDifference } from "../images/in-place.ts";
import type { Reducer } from "../reducer.ts";
import type { TagAccount } from "./account.ts";
import type { BinAxis } from "./axes.ts";
import { ImageGroups } from "./groups.ts";
import { type CubeBin, type CubeLabel, type CubeOptions, ratioName } from "./options.ts";
import { regionSum } from "./region.ts";
import { addNumber, addPair } from "./statistics.ts";

type Reducers = Record<string, Reducer<unknown>>;

/** Prepared once for each sensor. */
interface Sensor {
  readonly frame: ImageSpec;
  /** Of each pixel, when it is not among the corrections. */
  readonly dark: Float64Array | undefined;
  readonly correct: (pixels: Pixels) => Pixels;
  /** Takes the dark off, in memory that is reused. */
  readonly less: (pixels: Pixels) => Pixels;
  /** Of each bin. */
  readonly states: WeakMap<object, SensorState>;
  readonly sums: readonly { readonly name: string; readonly of: (pixels: Pixels) => number }[];
  readonly groups: ImageGroups;
}

/** Finds the bin of each shot and puts it in: what a cube does during one pass over shots. */
export class CubePass<R extends Reducers> {
  readonly #options: CubeOptions<R>;
  readonly #axes: readonly BinAxis[];
  readonly #labelOf: (tag: number) => { readonly label: CubeLabel } | string;
  readonly #chain: CorrectionChain;
  readonly #isCorrected: boolean;
  #unchecked: readonly string[] | undefined;
  readonly #sensors = new Map<string, Sensor>();
  /** Numbers of the shot in hand. */
  readonly #positions: Float64Array;
  readonly #sums = new Map<string, number>();

  constructor(
    options: CubeOptions<R>,
    axes: readonly BinAxis[],
    signals: readonly string[],
    labels: ShotLabels | undefined,
    account: TagAccount,
  ) {
    this.#options = options;
    this.#axes = axes;
    this.#unchecked = signals;
    this.#labelOf = labels === undefined ? () => unlabelled : verdictsOf(labels);
    const { dark, corrections = [] } = options;
    this.#isCorrected = corrections.length > 0;
    // A dark alone is subtracted by the reducers, as a rule from their sums.
    const withDark = dark !== undefined && this.#isCorrected ? [darkStep(dark), ...corrections] : corrections;
    this.#chain = new CorrectionChain(withDark, {
      note: (what) => account.note(what),
      amount: (what, value) => account.amount(what, value),
    });
    this.#positions = new Float64Array(axes.length);
  }

  /** Bytes for images of a sensor on their way into the bins, at most. */
  static bytesFor({ values, dark, corrections = [] }: CubeOptions<Reducers>, frame: ImageSpec): number {
    const isCorrected = corrections.length > 0;
    const pixels = frame.rows * frame.columns;
    const corrected = isCorrected ? 4 * pixels : dark === undefined ? 0 : imageBytes(pixels, 1);
    return corrected + ImageGroups.bytesFor(values?.images ?? {}, frame, isCorrected ? "float32" : frame.type);
  }

  /** Where the shot belongs, or why it is dropped. @throws BAD_ARGUMENT when the shots lack a signal */
  locate(shot: Shot): { readonly label: CubeLabel; readonly bin: number } | string {
    if (this.#unchecked !== undefined) checkSignals(shot, "cube", this.#unchecked);
    this.#unchecked = undefined;
    const verdict = this.#labelOf(shot.tag);
    if (typeof verdict === "string") return verdict;
    let bin = 0;
    for (const [k, axis] of this.#axes.entries()) {
      const position = axis.read(shot);
      if (typeof position === "string") return `${axis.name}-${position}`;
      const found = axis.binOf(position);
      if (typeof found === "string") return `${axis.name}-${found}`;
      this.#positions[k] = position;
      bin = bin * axis.bins + found;
    }
    return this.#chain.reject(shot) ?? { label: verdict.label, bin };
  }

  /** Puts the shot that was placed last into its bin; its images may wait for {@link CubePass.flush}. */
  add(shot: Shot, { images, numbers, ratios }: CubeBin<R>): void {
    this.#sums.clear();
    for (const [detId, image] of Object.entries(shot.images)) {
      const sensor = this.#sensor(detId, image, shot.tag);
      const pixels = sensor.correct(contiguous(image));
      let difference: Pixels | undefined;
      const less = (): Pixels => {
        difference ??= sensor.less(pixels);
        return difference;
      };
      for (const { name, of } of sensor.sums) this.#sums.set(name, of(less()));
      sensor.groups.add(stateOf(sensor, images), pixels, less, shot);
    }
    const { normaliseBy } = this.#options.values ?? {};
    const i0 = normaliseBy === undefined ? NaN : shot.number(normaliseBy);
    const add = (name: string, x: number): void => {
      const state = numbers.get(name);
      if (state !== undefined) addNumber(state, x);
      const pair = ratios.get(name);
      if (pair === undefined) return;
      addPair(pair, x, i0);
      const single = numbers.get(ratioName(name));
      if (single !== undefined) addNumber(single, x / i0);
    };
    for (const [k, axis] of this.#axes.entries()) add(axis.name, this.#positions[k] ?? NaN);
    for (const name of Object.keys(this.#options.values?.sums ?? {})) add(name, this.#sums.get(name) ?? NaN);
    for (const signal of this.#options.values?.signals ?? []) add(signal, shot.number(signal));
    images.account({ asked: 1, used: 1, dropped: [] });
  }

  /** Brings every image into its bin: to be called before the bins are read. */
  flush(): void {
    for (const { groups } of this.#sensors.values()) groups.flush();
  }

  #sensor(detId: string, image: RawImage, tag: number): Sensor {
    const [rows, columns] = shapeOf(detId, image);
    let sensor = this.#sensors.get(detId);
    if (sensor === undefined) {
      const frame: ImageSpec = { detId, rows, columns, type: image.data instanceof Uint16Array ? "uint16" : "float32" };
      const { sums = {}, images = {} } = this.#options.values ?? {};
      const dark = darkLeft(this.#options, frame);
      const regions = Object.entries(sums).filter(([, { detector }]) => detector === detId);
      sensor = {
        frame,
        dark,
        less: lessDark(frame, dark),
        states: new WeakMap(),
        correct: this.#isCorrected ? this.#chain.sensor(frame).image : (pixels) => pixels,
        sums: regions.map(([name, region]) => ({ name, of: regionSum(name, region, frame) })),
        groups: new ImageGroups(images, frame, this.#isCorrected ? "float32" : frame.type, dark),
      };
      this.#sensors.set(detId, sensor);
    }
    const { frame } = sensor;
    if (rows !== frame.rows || columns !== frame.columns) {
      throw badArgument(`shape of ${detId} at tag ${tag}`, image.shape, `[${frame.rows}, ${frame.columns}] as before`);
    }
    return sensor;
  }
}

/** The dark of each pixel that is left to the reducers; undefined where it is among the corrections. */
export function darkLeft(
  { dark, corrections = [] }: Pick<CubeOptions, "dark" | "corrections">,
  { detId, rows, columns }: ImageSpec,
): Float64Array | undefined {
  return dark === undefined || corrections.length > 0 ? undefined : darkOf(dark.mean, detId, rows, columns);
}

/** Takes a dark off images of one size. */
function lessDark({ rows, columns }: ImageSpec, dark: Float64Array | undefined): (pixels: Pixels) => Pixels {
  let memory: Float32Array | undefined;
  return (pixels) => {
    if (dark === undefined) return pixels;
    memory ??= imageInPlace(rows * columns, 1);
    takeDifference(pixels, dark, memory);
    return memory;
  };
}

/** What a bin remembers of a sensor; asked once, because darks are compared. */
function stateOf<R extends Reducers>({ frame, dark, states }: Sensor, images: PartialResult<R>): SensorState {
  const state = states.get(images) ?? images.sensor(frame, dark);
  states.set(images, state);
  return state;
}

const unlabelled = { label: "all" } as const;

/** What the labels say of each tag: the label under which it is counted, or why it is dropped. */
function verdictsOf({ on, off, dark, dropped }: ShotLabels): (tag: number) => { readonly label: CubeLabel } | string {
  const verdicts = new Map<number, { readonly label: CubeLabel } | string>();
  for (const tag of on) verdicts.set(tag, { label: "on" });
  for (const tag of off) verdicts.set(tag, { label: "off" });
  for (const tag of dark) verdicts.set(tag, "dark");
  for (const { reason, tags } of dropped) for (const tag of tags) verdicts.set(tag, reason);
  return (tag) => verdicts.get(tag) ?? "not-labelled";
}
