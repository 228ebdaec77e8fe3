import ndarray from "ndarray";
import { throwIfAborted } from "../../core/async.ts";
import { showList } from "../../core/errors.ts";
import { asInteger, asText, badArgument } from "../../core/guards.ts";
import { type Ledger, onlyDropped } from "../../core/ledger.ts";
import type { NdArray } from "../../core/ndarray.ts";
import { any, defined, oneOf, optional, resolveOptions } from "../../core/options.ts";
import type { RatioMethod } from "../../core/ratio.ts";
import type { ImageSpec, ShotStream } from "../../core/shots.ts";
import type { TagList } from "../../core/tags.ts";
import type { ShotLabels } from "../../db/index.ts";
import { memoryOf } from "../accumulate.ts";
import { type Checkpoint, PartialResult } from "../engine/partial-result.ts";
import { layoutBytes, makeState, mergeState, type SavedState, saveState, scratchBytes } from "../engine/state.ts";
import { droppedBefore, type Reduced, resultsOf, type ShotSelection } from "../reduce.ts";
import type { Reducer } from "../reducer.ts";
import { TagAccount } from "./account.ts";
import { BinAxis } from "./axes.ts";
import { type CubeBin, type CubeLabel, type CubeOptions, ratioName } from "./options.ts";
import { CubePass, darkLeft } from "./pass.ts";
import { checkRegion } from "./region.ts";
import { type BinStatistics, binStatistics, numberLayout, ratioLayout, ratioStatistics } from "./statistics.ts";

type Reducers = Record<string, Reducer<unknown>>;

export interface CubeUpdateOptions {
  /** Keeps pumped and unpumped shots apart: `await run.labels()`. Dark ones, and those without a label, are dropped. */
  readonly labels?: ShotLabels | undefined;
  /**
   * The tags of the shots, when they were chosen by {@link filterShots} or the like: what was dropped then joins the
   * ledger.
   */
  readonly selection?: ShotSelection | undefined;
  /** Told after each shot how many are done, and of how many when that is known. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A cube as plain values and typed arrays: for a file, or for another process. */
export interface CubeCheckpoint {
  /** What the cube was made to do, in words that are compared. */
  readonly made: string;
  readonly bins: readonly {
    readonly label: CubeLabel;
    readonly bin: number;
    readonly images: Checkpoint;
    readonly numbers: Readonly<Record<string, SavedState>>;
    readonly ratios?: Readonly<Record<string, SavedState>>;
  }[];
  readonly used: Uint32Array;
  readonly ledger: Ledger;
}

/**
 * Shots sorted into bins by scan variables, pumped and unpumped ones apart. A cube can be asked at any time and
 * {@link update}d with further shots: run by run while the measurement goes on, after a failure, or after a stop of the
 * program ({@link checkpoint}). Cubes of different shots merge. All its sums are exact, so the same shots give the same
 * bits in whatever order and parts they came.
 *
 * A shot is in a bin or in the ledger: below the range or above it, between two targets, without a number
 * (`delay-below`, `delay-above`, `delay-off-target`, `delay-not-converged`, …; the first word is the name of the axis),
 * without a label, refused by a correction. Nothing is put into the end bins that does not belong there. Each tag
 * counts once, even when it is given twice; tags of different HighTags must not be mixed.
 *
 * Memory: {@link memory} bytes for each bin and label that is hit, up to 32 images of each sensor while it is updated
 * (they wait for others of their bin), and some 40 bytes per shot for its tag.
 *
 * @example
 * const scan = new Cube({
 *   axes: [{ name: "delay", of: delay, from: -1000, to: 4000, step: 250 }],
 *   values: { images: { spread: variance({ ddof: 1 }) }, sums: { ring: { detector, weights: ring } }, signals: [bm1] },
 *   corrections: [correct.dark(dark), correct.normalise({ equipId: bm1, limits: [3e-9, 8e-9], reference: 5e-9 })],
 * });
 * for await (const run of db.runs({ bl: 3, follow: true })) {
 *   const labels = await run.labels();
 *   const shots = st.shots({ run, detectors: [detector], signals: scan.signals, tags: labels.on.union(labels.off) });
 *   await scan.update(shots, { labels });
 *   const { ratio, ratioError } = contrast(scan.numbers("ring", "on"), scan.numbers("ring", "off"));
 * }
 */
export class Cube<R extends Reducers = Reducers> {
  readonly axes: readonly BinAxis[];
  /** The 0-D signals that the shots must carry. */
  readonly signals: readonly string[];
  readonly #options: CubeOptions<R>;
  readonly #reducers: R;
  readonly #made: string;
  readonly #names: readonly string[];
  /** Sums and signals that are divided by the monitor. */
  readonly #normalised: readonly string[];
  readonly #bins = new Map<string, CubeBin<R>>();
  /** Updates that go on. */
  readonly #passes = new Set<CubePass<R>>();
  #account = new TagAccount();

  /** @throws BAD_ARGUMENT when the axes make no bins, or two numbers have one name */
  constructor(options: CubeOptions<R>) {
    resolveOptions("cube", options, { axes: any, values: any, dark: any, corrections: any });
    const {
      images,
      sums = {},
      signals = [],
      normaliseBy,
    } = resolveOptions("cube values", options.values ?? {}, {
      images: any,
      sums: any,
      signals: any,
      normaliseBy: optional(asText),
    });
    asInteger("the number of axes", options.axes.length, 1, 3);
    for (const [name, region] of Object.entries(sums)) checkRegion(name, region);
    this.#options = options;
    this.#reducers = images ?? ({} as R);
    this.axes = options.axes.map((axis) => new BinAxis(axis));
    this.#normalised =
      normaliseBy === undefined ? [] : [...Object.keys(sums), ...signals].filter((name) => name !== normaliseBy);
    this.#names = [
      ...this.axes.map(({ name }) => name),
      ...Object.keys(sums),
      ...signals,
      ...this.#normalised.map(ratioName),
    ];
    const twice = this.#names.find((name, i) => this.#names.indexOf(name) !== i);
    if (twice !== undefined) throw badArgument("names of axes, sums and signals", twice, "each another one");
    this.signals = [
      ...new Set([
        ...this.axes.flatMap((axis) => axis.signals),
        ...signals,
        ...(normaliseBy === undefined ? [] : [normaliseBy]),
        ...Object.values(this.#reducers).flatMap((reducer) => reducer.signals ?? []),
        ...(options.corrections ?? []).flatMap((correction) => correction.signals ?? []),
      ]),
    ];
    this.#made = JSON.stringify({
      axes: this.axes.map(({ name, edges, centres, tolerance }) => ({
        name,
        bins: [...(edges ?? centres)],
        tolerance,
      })),
      images: Object.entries(this.#reducers).map(([name, reducer]) => [name, reducer.name]),
      numbers: this.#names,
      ...defined({ normaliseBy }),
    });
  }

  /** A cube from a checkpoint. @throws BAD_ARGUMENT when it was made by another kind of cube, or with another dark */
  static load<R extends Reducers>(options: CubeOptions<R>, checkpoint: CubeCheckpoint): Cube<R> {
    const cube = new Cube(options);
    if (checkpoint.made !== cube.#made) throw badArgument("checkpoint", checkpoint.made, `one of ${cube.#made}`);
    for (const { label, bin, images, numbers, ratios } of checkpoint.bins)
      cube.#makeBin(label, bin, cube.#checked(PartialResult.load(cube.#reducers, images)), numbers, ratios);
    cube.#account = new TagAccount(checkpoint.used, checkpoint.ledger);
    return cube;
  }

  /** Bins along each axis. */
  get shape(): number[] {
    return this.axes.map((axis) => axis.bins);
  }

  /** Every shot once, tags and reasons ascending. */
  get ledger(): Ledger {
    return this.#account.ledger;
  }

  /**
   * What it can take for images like these (`await shots.describe()`), known before anything is read: in each bin that
   * is hit, in all bins of a label, and once while it is updated, for images on their way. Series grow on top.
   */
  memory(frames: readonly ImageSpec[]): {
    readonly bytesPerBin: number;
    readonly bytesPerLabel: number;
    readonly bytesOnTheWay: number;
  } {
    const scratch = sumOver(frames, (frame) =>
      sumOver(Object.values(this.#reducers), (reducer) => scratchBytes(reducer.layout(frame))),
    );
    const numbers = this.#names.length * layoutBytes(numberLayout) + this.#normalised.length * layoutBytes(ratioLayout);
    const bytesPerBin = memoryOf(frames, this.#reducers) - scratch + numbers;
    const onTheWay = sumOver(frames, (frame) => CubePass.bytesFor(this.#options, frame));
    return { bytesPerBin, bytesPerLabel: bytesPerBin * this.#size, bytesOnTheWay: scratch + onTheWay };
  }

  /** The tags that are not in the ledger yet, such as those that were not read because the reading failed. */
  remaining<T extends TagList>(tags: T): T {
    return tags.filter((tag) => !this.#account.has(tag));
  }

  /**
   * Takes in further shots. When it fails or is aborted on the way, the shots taken so far stay: go on with
   * {@link remaining}.
   * @throws BAD_ARGUMENT when the shots lack one of {@link signals}, or images of a sensor change shape
   */
  async update(shots: ShotStream, options: CubeUpdateOptions = {}): Promise<this> {
    const { labels, selection, onProgress, signal } = resolveOptions("update", options, {
      labels: any,
      selection: any,
      onProgress: any,
      signal: any,
    });
    if (selection !== undefined) this.#dropAll(await droppedBefore(selection, shots));
    const total = await shots.count?.();
    const pass = new CubePass(this.#options, this.axes, this.signals, labels, this.#account);
    this.#passes.add(pass);
    let done = 0;
    try {
      for await (const shot of shots) {
        throwIfAborted(signal);
        if (!this.#account.isUsed(shot.tag)) {
          const place = pass.locate(shot);
          if (typeof place === "string") this.#account.drop(shot.tag, place);
          else {
            pass.add(shot, this.#bin(place.label, place.bin));
            this.#account.use(shot.tag);
          }
        }
        onProgress?.(++done, total);
      }
    } finally {
      pass.flush();
      this.#passes.delete(pass);
      if (shots.ledger !== undefined) this.#dropAll(onlyDropped(shots.ledger));
    }
    return this;
  }

  /**
   * Takes in a cube of other shots, and gives this.
   * @throws BAD_ARGUMENT when it is of another kind, has another dark, or has some of the same shots
   */
  merge(other: Cube<R>): this {
    if (other.#made !== this.#made) throw badArgument("the other cube", other.#made, this.#made);
    const common = other.#account.used.filter((tag) => this.#account.isUsed(tag));
    if (common.length > 0)
      throw badArgument("tags of the other cube", `${showList(common)}, which are in this one too`, "other shots");
    for (const { images } of other.#bins.values()) this.#checked(images);
    for (const cube of [this, other]) cube.#flush();
    for (const { label, bin, images, numbers, ratios } of other.#bins.values()) {
      const own = this.#bin(label, bin);
      own.images.merge(images);
      for (const [name, state] of own.numbers) {
        const from = numbers.get(name);
        if (from !== undefined) mergeState(numberLayout, state, from);
      }
      for (const [name, state] of own.ratios) {
        const from = ratios.get(name);
        if (from !== undefined) mergeState(ratioLayout, state, from);
      }
    }
    this.#account.merge(other.#account);
    return this;
  }

  /** Everything, as plain values and arrays that share memory with this. */
  checkpoint(): CubeCheckpoint {
    this.#flush();
    const bins = [...this.#bins.values()].map(({ label, bin, images, numbers, ratios }) => ({
      label,
      bin,
      images: images.checkpoint(),
      numbers: Object.fromEntries(Array.from(numbers, ([name, state]) => [name, saveState(numberLayout, state)])),
      ratios: Object.fromEntries(Array.from(ratios, ([name, state]) => [name, saveState(ratioLayout, state)])),
    }));
    return { made: this.#made, bins, used: this.#account.used, ledger: this.ledger };
  }

  /** Shots in each bin; has the cube's shape. */
  counts(label: CubeLabel = "all"): NdArray<Float64Array> {
    return ndarray(
      Float64Array.from(this.#states(label), (bin) => bin?.images.ledger.used ?? 0),
      this.shape,
    );
  }

  /**
   * One of the numbers over the bins: that of an axis, a sum over a region or a signal.
   * @throws BAD_ARGUMENT when there is none of that name
   */
  numbers(name: string, label: CubeLabel = "all"): BinStatistics {
    if (!this.#names.includes(name)) throw badArgument("number", name, `one of ${this.#names.join(", ")}`);
    return binStatistics(
      this.#states(label).map((bin) => bin?.numbers.get(name)),
      this.shape,
    );
  }

  /**
   * A sum over a region or a signal, divided by the monitor of `values.normaliseBy`, over the bins; errors are from the
   * scatter of each bin's shots, with the covariance of signal and monitor. For few shots a bin see
   * {@link withPooledErrors}; {@link contrast} gives pumped against unpumped.
   * @param options.method - see {@link RatioMethod}. @default "ratio-of-sums"
   * @throws BAD_ARGUMENT when there is none of that name, or no monitor
   * @example
   * contrast(scan.normalised("ring", "on"), scan.normalised("ring", "off")).difference;
   */
  normalised(
    name: string,
    label: CubeLabel = "all",
    options: { readonly method?: RatioMethod | undefined } = {},
  ): BinStatistics {
    const { method } = resolveOptions("normalised", options, {
      method: optional(oneOf("ratio-of-sums", "mean-of-ratios"), "ratio-of-sums"),
    });
    if (!this.#normalised.includes(name))
      throw badArgument(
        "normalised number",
        name,
        `one of ${this.#normalised.join(", ")} (values.normaliseBy names I0)`,
      );
    if (method === "mean-of-ratios") return this.numbers(ratioName(name), label);
    return ratioStatistics(
      this.#states(label).map((bin) => bin?.ratios.get(name)),
      this.shape,
    );
  }

  /**
   * What the reducers found in the images of a bin, by the names of `values.images` and by sensor; undefined when the
   * bin is empty.
   * @param index - one for each axis
   * @example scan.images("on", 3)?.spread[detector].mean
   */
  images(label: CubeLabel, ...index: number[]): Reduced<R> | undefined {
    if (index.length !== this.axes.length)
      throw badArgument("index", index, `${this.axes.length} numbers, one for each axis`);
    let bin = 0;
    for (const [k, axis] of this.axes.entries())
      bin = bin * axis.bins + asInteger(`index of ${axis.name}`, index[k], 0, axis.bins - 1);
    this.#flush();
    const found = this.#bins.get(keyOf(label, bin));
    return found === undefined ? undefined : resultsOf(found.images);
  }

  /** So that an update that goes on shows what it has taken in so far. */
  #flush(): void {
    for (const pass of this.#passes) pass.flush();
  }

  get #size(): number {
    return this.axes.reduce((n, axis) => n * axis.bins, 1);
  }

  #states(label: CubeLabel): (CubeBin<R> | undefined)[] {
    return Array.from({ length: this.#size }, (_, bin) => this.#bins.get(keyOf(label, bin)));
  }

  #bin(label: CubeLabel, bin: number): CubeBin<R> {
    return this.#bins.get(keyOf(label, bin)) ?? this.#makeBin(label, bin, new PartialResult(this.#reducers), {});
  }

  #makeBin(
    label: CubeLabel,
    bin: number,
    images: PartialResult<R>,
    saved: Readonly<Record<string, SavedState>>,
    savedRatios: Readonly<Record<string, SavedState>> = {},
  ): CubeBin<R> {
    const numbers = new Map(this.#names.map((name) => [name, makeState(numberLayout, saved[name])]));
    const ratios = new Map(this.#normalised.map((name) => [name, makeState(ratioLayout, savedRatios[name])]));
    const made = { label, bin, images, numbers, ratios };
    this.#bins.set(keyOf(label, bin), made);
    return made;
  }

  /** @throws BAD_ARGUMENT when it has another dark */
  #checked(images: PartialResult<R>): PartialResult<R> {
    for (const { frame } of images.sensors) images.sensor(frame, darkLeft(this.#options, frame));
    return images;
  }

  #dropAll({ dropped }: Ledger): void {
    for (const { reason, tags } of dropped) for (const tag of tags) this.#account.drop(tag, reason);
  }
}

function sumOver<T>(items: readonly T[], bytes: (item: T) => number): number {
  return items.reduce((sum, item) => sum + bytes(item), 0);
}

function keyOf(label: CubeLabel, bin: number): string {
  return `${label} ${bin}`;
}

/**
 * Sorts shots into a {@link Cube}, which can be updated afterwards.
 * @example
 * const axis = { name: "stage", of: motor, targets: scanTargets(stage.values, 5), tolerance: 10 };
 * const scan = await cube(shots, { axes: [axis], values: { signals: [bm1] }, labels });
 * scan.numbers(bm1, "on").mean;
 */
export async function cube<R extends Reducers>(
  shots: ShotStream,
  options: CubeOptions<R> & CubeUpdateOptions,
): Promise<Cube<R>> {
  const { axes, values, corrections, ...update } = options;
  return await new Cube<R>({ axes, values, corrections }).update(shots, update);
}
